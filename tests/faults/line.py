"""Waiting in line: a task that was queued again is not slow to recover as long as only what comes before it is taken.

Pure. Otherwise the load would be what decides, after an outage that has left a backlog.
"""

from collections.abc import Mapping

from tests.faults.observations import Hand, History, Task

RACE_SECONDS = 0.3  # who is woken at the same time may be the faster one
LULL_SECONDS = 3.0  # in which a backlog leads to no claim: every child may be at a long task that long


def next_since(task: Task, at: float, history: History) -> float:
    """Return from when on until `at`, when it began, a task only had others before it that came first in line.

    Any claim of something else before is proof that it could not be had then; and so is a lull.
    """
    by_id = {each.id: each for each in history.tasks}
    since = at
    for hand in sorted(history.hands, key=lambda hand: hand.at, reverse=True):
        if hand.at > at - RACE_SECONDS:
            continue
        if since - hand.at > LULL_SECONDS:
            return since
        if not _comes_first(hand, task, by_id):
            return hand.at
        since = hand.at
    return since


def _comes_first(hand: Hand, task: Task, by_id: Mapping[str, Task]) -> bool:
    """Tell whether a hand is of a higher tier, as old, or of another model, which takes turns with it."""
    first = by_id.get(hand.claims[0][0])
    if first is None or first is task:
        return False
    if first.asked.priority != task.asked.priority:
        return first.asked.priority > task.asked.priority
    return first.asked.model != task.asked.model or _created(first) <= _created(task)


def _created(task: Task) -> str:
    """Return the server's word for when it came; as text it compares as an instant does."""
    return str(task.sightings[0].document["created_at"])
