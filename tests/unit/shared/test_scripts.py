from pathlib import Path

import pytest

import shared.ledger
from shared.ledger.scripts import FLAGS, lua_allowed, lua_message, lua_string, needed, script
from shared.queue import ID, QUEUE, TAG
from shared.task import TRANSITIONS, Action, Status

LUA = Path(shared.ledger.__file__).parent / "lua"


def test_the_table_of_transitions_becomes_lua() -> None:
    table = {Action.REAP: {Status.RUNNING: frozenset({Status.QUEUED, Status.FAILED})}}

    assert lua_allowed(table) == "' reap:running:failed reap:running:queued '"


def test_a_script_begins_with_what_it_uses_and_nothing_else() -> None:
    rules = """
-- A comment.
local ONE, TWO = 1, 2
local THREE = 3  -- not TWO
local function first() return ONE end

-- Uses `unused` in a comment alone.
local function second(x)
  return first() + x
end
local function unused() return TWO end
"""

    assert "local function second" in needed(rules, "return second(1)")
    assert "local function first" in needed(rules, "return second(1)")
    assert "ONE, TWO" in needed(rules, "return second(1)")
    assert "unused()" not in needed(rules, "return second(1)")
    assert "THREE" not in needed(rules, "return second(1)")
    assert needed(rules, "return 1 -- second") == ""


def test_a_message_template_becomes_an_expression() -> None:
    template = f'{{"id": "{ID}", "key": "{QUEUE}", "tag": "{TAG}", "it\'s": "\\u00e9"}}'

    assert lua_message(template) == (
        """'{"id": "' .. id .. '", "key": "' .. queue .. '", "tag": "' .. tag .. '", "it\\'s": "\\\\u00e9"}'"""
    )


@pytest.mark.parametrize(("text", "quoted"), [("a", "'a'"), ("it's", r"'it\'s'"), ("a\\n\n", r"'a\\n\n'")])
def test_text_is_quoted(text: str, quoted: str) -> None:
    assert lua_string(text) == quoted


def test_no_placeholder_is_left_in_a_script() -> None:
    text = script("submit")

    assert "%%" not in text
    assert lua_allowed(TRANSITIONS) in text
    assert not any(stand_in in text for stand_in in (ID, QUEUE, TAG))


def test_what_only_reads_counts_nothing() -> None:
    counting = {path.stem for path in LUA.glob("*.lua") if "local function count(" in script(path.stem)}

    assert {"submit", "claim", "proceed", "finish", "cancel", "retry", "reap", "release", "loaded"} <= counting
    assert not counting & {name for name, flags in FLAGS.items() if flags == "no-writes"}
