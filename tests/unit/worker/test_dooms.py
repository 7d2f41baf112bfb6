"""Which children are killed, and what the ledger is told of what they held."""

import pytest

from worker.dooms import Cause, doom_of_lost, dooms, last_words
from worker.slots import Attempt, SlotView, State

A, B = "0b8e7d6c-5a4f-4e3d-8c2b-1a0f9e8d7c6b", "1c9f8e7d-6b5a-4f4e-9d3c-2b1a0f9e8d7c"
N, M = "2d0a9f8e-7c6b-4a5f-8e4d-3c2b1a0f9e8d", "3e1b0a9f-8d7c-4b6a-9f5e-4d3c2b1a0f9e"


def view(state: State = State.BUSY, since: float = 0.0, tasks: tuple[str, ...] = (A,), computing: int = 0) -> SlotView:
    held = state in (State.BUSY, State.FINISHING)
    attempts = tuple((task, 1) for task in tasks) if held else ()
    return SlotView(0, state, 10, since, 5.0, attempts, computing or len(attempts), N, M if held else "")


@pytest.mark.parametrize(
    ("seen", "canceled", "drain_at", "expected"),
    [
        (view(), set(), None, []),
        (view(), {(A, 1)}, None, [Cause.CANCELED]),
        (view(), {(A, 2)}, None, []),  # an older cancellation must not hit the newer attempt
        (view(), {(B, 1)}, None, []),
        (view(tasks=(B, A)), {(A, 1)}, None, [Cause.CANCELED]),
        (view(State.FINISHING), {(A, 1)}, None, []),  # it burns nothing, and may hold its next task already
        (view(since=-5.0), set(), None, [Cause.OVERDUE]),
        (view(since=-5.0), {(A, 1)}, None, [Cause.CANCELED]),
        (view(State.FINISHING, since=-5.0), set(), None, []),  # computed in time, however long it takes to publish
        (view(), set(), 1.0, [Cause.STOPPING]),
        (view(State.FINISHING), set(), 1.0, [Cause.STOPPING]),
        (view(), set(), 1.1, []),
        (view(State.IDLE), {(A, 1)}, 0.0, []),
        (view(State.CLAIMING), {(A, 1)}, 0.0, []),
        (view(State.LOADING), set(), 600.0, [Cause.STOPPING]),  # it has nothing to finish
        (view(State.LOADING), set(), None, []),
    ],
)
def test_which_children_are_taken_down(
    seen: SlotView, canceled: set[Attempt], drain_at: float | None, expected: list[Cause]
) -> None:
    found = dooms([seen], 1.0, canceled, drain_at)

    assert [doom.cause for doom in found] == expected
    assert all(doom.is_still_due(seen) for doom in found)


@pytest.mark.parametrize("later", [view(tasks=(B,)), view(State.IDLE), view(State.FINISHING)])
def test_a_child_that_has_moved_on_is_not_due_any_more(later: SlotView) -> None:
    (canceled,) = dooms([view()], 1.0, {(A, 1)}, None)
    (overdue,) = dooms([view(since=-5.0)], 1.0, set(), None)

    assert not canceled.is_still_due(later)
    assert not overdue.is_still_due(later)
    assert not doom_of_lost(view(), {(A, 1)}).is_still_due(later)


@pytest.mark.parametrize(
    ("seen", "cause", "expected"),
    [
        (view(), Cause.CANCELED, []),
        (view(), Cause.LOST, []),
        (view(tasks=(A, B)), Cause.CANCELED, [("release", (N, M, "", "mine"))]),
        (view(), Cause.STOPPING, [("release", (N, M, "", "mine"))]),
        (view(State.LOADING), Cause.STOPPING, []),
        (view(tasks=(A, B)), Cause.OVERDUE, [("release", (N, M, "1", "mine"))]),
    ],
)
def test_the_last_words_of_a_child(seen: SlotView, cause: Cause, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    assert [(word.script, word.arguments) for word in last_words(seen, cause, ["mine"], 1000)] == expected


@pytest.mark.parametrize(("tasks", "others"), [((A,), []), ((A, B), ["release"])])
def test_one_that_ran_too_long_by_itself_has_failed(tasks: tuple[str, ...], others: list[str]) -> None:
    first, *rest = last_words(view(tasks=tasks, computing=1), Cause.OVERDUE, ["mine"], 1000)

    assert first.script == "finish"
    assert first.arguments == (1000, 1, A, f"1:{N}", "timeout", "The prediction ran past its limit of 5 s.")
    assert [word.script for word in rest] == others
