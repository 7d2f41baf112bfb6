"""The ledger's Lua scripts, complete: of the rules that they have in common what each uses, and then its body.

Redis compiles a script once but runs all of it at every call, so a definition that is not used costs time at each.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

from shared.ledger.counts import SIZES, TIMES_MS
from shared.ledger.payload import LARGE_BYTES
from shared.queue import ID, LEVEL, LEVELS, QUEUE, TAG, list_suffix, message_template
from shared.task import PRIORITIES, TRANSITIONS, Action, Status

# The order in which `read` returns a task's fields; replies.py reads them by these names.
FIELDS = (
    "model",
    "status",
    "created",
    "started",
    "finished",
    "expires",
    "attempt",
    "lost",
    "fraction",
    "note",
    "error_code",
    "error_message",
    "batch",
    "result",
)
LISTED = FIELDS[:-1]  # a list has no results: each may be as large as PENSTOCK_MAX_RESULT_BYTES


# What each script may do although the server is short of memory, or refuses writes. Without a word here it is refused
# before it starts: what would let new work in waits until there is memory, what ends or keeps work goes on.
FLAGS = {
    "submit": "",
    "claim": "",
    "proceed": "",
    "read": "no-writes",
    "read_each": "no-writes",
    "census": "no-writes",
    "count": "no-writes",
    "checkup": "no-writes",
    "list": "no-writes",
    "retry": "",
}


RULES = ("keys", "counts", "queue", "endings", "attempts", "views")  # each uses what is defined in those before it


@cache
def script(name: str) -> str:
    """Return the text of one script, ready for EVAL."""
    body = _text(name)
    return f"#!lua flags={FLAGS.get(name, 'allow-oom')}\n{needed(_rules(), body)}{body}"


def needed(rules: str, body: str) -> str:
    """Return the definitions in `rules` that `body` uses, directly or through another.

    A definition begins with `local` at the beginning of a line, and comes before whatever uses it.
    """
    kept, used = [], _words(body)
    for definition in reversed(re.split(r"^(?=local )", rules, flags=re.MULTILINE)[1:]):
        if used & set(_defined(definition)):
            kept.append(definition)
            used |= _words(definition)
    return "".join(reversed(kept))


def _defined(definition: str) -> list[str]:
    function = re.match(r"local function (\w+)", definition)
    return [function[1]] if function else re.findall(r"\w+", definition.partition("=")[0])[1:]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", re.sub(r"--.*", "", text)))


@cache
def _rules() -> str:
    return (
        "\n".join(_text(f"rules/{name}") for name in RULES)
        .replace("%%ALLOWED%%", lua_allowed(TRANSITIONS))
        .replace("%%FIELDS%%", lua_list(FIELDS))
        .replace("%%LISTED%%", lua_list(LISTED))
        .replace("%%MESSAGE%%", lua_message(message_template()))
        .replace("%%SUFFIXES%%", lua_list(map(list_suffix, reversed(PRIORITIES))))
        .replace("%%LEVELS%%", lua_numbers(LEVELS))
        .replace("%%LARGE_BYTES%%", str(LARGE_BYTES))
        .replace("%%TIMES%%", lua_numbers(TIMES_MS))
        .replace("%%SIZES%%", lua_numbers(SIZES))
    )


def _text(name: str) -> str:
    return (files(__package__) / "lua" / f"{name}.lua").read_text(encoding="utf-8")


def lua_allowed(transitions: Mapping[Action, Mapping[Status, frozenset[Status]]]) -> str:
    """Render the table of transitions as a Lua string: `' claim:queued:running ... '`."""
    words = (
        f"{action}:{before}:{after}"
        for action, rows in transitions.items()
        for before, afters in rows.items()
        for after in sorted(afters)
    )
    return lua_string(f" {' '.join(words)} ")


def lua_message(template: str) -> str:
    """Render a message template as a Lua expression over the variables `id`, `queue`, `tag` and `level`."""
    expression = lua_string(template)
    for stand_in, variable in ((ID, "id"), (QUEUE, "queue"), (TAG, "tag"), (LEVEL, "level")):
        expression = expression.replace(stand_in, f"' .. {variable} .. '")
    return expression


def lua_numbers(numbers: Iterable[int]) -> str:
    """Return numbers as a Lua table."""
    return "{" + ", ".join(map(str, numbers)) + "}"


def lua_list(texts: Iterable[str]) -> str:
    """Render texts as a Lua table of strings."""
    return "{" + ", ".join(map(lua_string, texts)) + "}"


def lua_string(text: str) -> str:
    """Quote `text` as a Lua string."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return "'" + re.sub(r"[\x00-\x09\x0b-\x1f]", lambda found: f"\\{ord(found[0]):03d}", escaped) + "'"
