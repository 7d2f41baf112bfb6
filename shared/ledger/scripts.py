"""The ledger's Lua scripts, complete: the preamble with the rules of `shared.task` filled in, then each body."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

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
    "result",
)
LISTED = FIELDS[:-1]  # a list has no results: each may be as large as PENSTOCK_MAX_RESULT_BYTES


# What each script may do although the server is short of memory, or refuses writes. Without a word here it is refused
# before it starts: what would let new work in waits until there is memory, what ends or keeps work goes on.
FLAGS = {
    "submit": "",
    "claim": "",
    "read": "no-writes",
    "read_each": "no-writes",
    "census": "no-writes",
    "list": "no-writes",
    "retry": "",
}


@cache
def script(name: str) -> str:
    """Return the text of one script, ready for EVAL."""
    return f"#!lua flags={FLAGS.get(name, 'allow-oom')}\n{_preamble()}\n{_text(name)}"


@cache
def _preamble() -> str:
    return (
        _text("schema")
        .replace("%%ALLOWED%%", lua_allowed(TRANSITIONS))
        .replace("%%FIELDS%%", lua_list(FIELDS))
        .replace("%%LISTED%%", lua_list(LISTED))
        .replace("%%MESSAGE%%", lua_message(message_template()))
        .replace("%%SUFFIXES%%", lua_list(map(list_suffix, reversed(PRIORITIES))))
        .replace("%%LEVELS%%", "{" + ", ".join(map(str, LEVELS)) + "}")
    )


def _text(name: str) -> str:
    return (files(__package__) / "lua" / f"{name}.lua").read_text(encoding="utf-8")


def lua_allowed(transitions: Mapping[Action, Mapping[Status, frozenset[Status]]]) -> str:
    """Render the table of transitions as Lua: `{claim={queued={running=true}}, ...}`."""
    return _table(
        (
            action,
            _table((before, _table((after, "true") for after in sorted(afters))) for before, afters in rows.items()),
        )
        for action, rows in transitions.items()
    )


def lua_message(template: str) -> str:
    """Render a message template as a Lua expression over the variables `id`, `queue`, `tag` and `level`."""
    expression = lua_string(template)
    for stand_in, variable in ((ID, "id"), (QUEUE, "queue"), (TAG, "tag"), (LEVEL, "level")):
        expression = expression.replace(stand_in, f"' .. {variable} .. '")
    return expression


def lua_list(texts: Iterable[str]) -> str:
    """Render texts as a Lua table of strings."""
    return "{" + ", ".join(map(lua_string, texts)) + "}"


def lua_string(text: str) -> str:
    """Quote `text` as a Lua string."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return "'" + re.sub(r"[\x00-\x09\x0b-\x1f]", lambda found: f"\\{ord(found[0]):03d}", escaped) + "'"


def _table(items: Iterable[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{key}={value}" for key, value in items) + "}"
