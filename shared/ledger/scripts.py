"""The ledger's Lua scripts, complete: the preamble with the rules of `shared.task` filled in, then each body."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

from shared.queue import ID, QUEUE, TAG, message_template
from shared.task import TRANSITIONS, Action, Status

# The order in which `read` returns a task's fields; calls.py reads them by these names.
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
    "result",
    "error_code",
    "error_message",
)


# What each script may do although the server is short of memory, or refuses writes. Without a word here it is refused
# before it starts: what would let new work in waits until there is memory, what ends or keeps work goes on.
FLAGS = {
    "submit": "",
    "claim": "",
    "read": "no-writes",
    "census": "no-writes",
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
        .replace("%%FIELDS%%", "{" + ", ".join(map(lua_string, FIELDS)) + "}")
        .replace("%%MESSAGE%%", lua_message(message_template()))
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
    """Render a message template as a Lua expression over the variables `id`, `queue` and `tag`."""
    expression = lua_string(template)
    for stand_in, variable in ((ID, "id"), (QUEUE, "queue"), (TAG, "tag")):
        expression = expression.replace(stand_in, f"' .. {variable} .. '")
    return expression


def lua_string(text: str) -> str:
    """Quote `text` as a Lua string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def _table(items: Iterable[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{key}={value}" for key, value in items) + "}"
