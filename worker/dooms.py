"""Which children are to be killed, for what, and what the ledger is told of the tasks they held. Pure."""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from shared.ledger import calls
from shared.ledger.call import Call
from shared.task import ErrorCode, TaskError
from worker.slots import Attempt, SlotView, State


class Cause(Enum):
    """Why a child is killed."""

    CANCELED = "canceled"
    LOST = "its claim is lost"
    OVERDUE = "past its time limit"
    STOPPING = "the worker stops"


@dataclass(frozen=True, slots=True)
class Doom:
    """A child that is to be killed, unless it has moved on meanwhile."""

    view: SlotView
    cause: Cause
    is_still_due: Callable[[SlotView], bool]


def dooms(views: Iterable[SlotView], now: float, canceled: Container[Attempt], drain_at: float | None) -> list[Doom]:
    """Decide which children end now."""
    drained = drain_at is not None and now >= drain_at
    found = []
    for view in views:
        if computes(view, canceled):
            found.append(Doom(view, Cause.CANCELED, lambda later: computes(later, canceled)))
        elif view.is_overdue(now):
            found.append(Doom(view, Cause.OVERDUE, lambda later: later.is_overdue(now)))
        elif drained and view.attempts:
            found.append(Doom(view, Cause.STOPPING, lambda later: bool(later.attempts)))
        elif drain_at is not None and is_loading(view):
            # It has nothing to finish, and Celery's pool would wait for it: for minutes, if its model is large.
            found.append(Doom(view, Cause.STOPPING, is_loading))
    return found


def computes(view: SlotView, attempts: Container[Attempt]) -> bool:
    """Tell whether a child computes any of these attempts, or is about to.

    One that has computed and tells the ledger is left alone: it burns nothing, and may have won its next task already.
    """
    return view.state is State.BUSY and any(attempt in attempts for attempt in view.attempts)


def is_loading(view: SlotView) -> bool:
    """Tell whether a child is loading its models."""
    return view.state is State.LOADING


def doom_of_lost(view: SlotView, lost: Container[Attempt]) -> Doom:
    """Return the doom of a child some of whose claims are lost."""
    return Doom(view, Cause.LOST, lambda later: computes(later, lost))


def last_words(view: SlotView, cause: Cause, models: Iterable[str], retention_ms: int) -> list[Call[Any]]:
    """Return what the ledger is told of the tasks of a child that is killed.

    Of one that ran too long by itself, that it failed. Of a batch nobody knows which task it was: each is alone the
    next time. Whatever else the child held is given back; what was canceled or lost is not its own any more.
    """
    words: list[Call[Any]] = []
    culprit = view.culprit() if cause is Cause.OVERDUE else None
    if culprit is not None:
        error = TaskError(ErrorCode.TIMEOUT, f"The prediction ran past its limit of {view.limit:g} s.")
        words.append(calls.fail(*culprit, error, retention_ms, view.nonce))
    if len(view.attempts) > 1 or (view.attempts and cause is Cause.STOPPING):
        words.append(calls.release(view.nonces, models, alone=cause is Cause.OVERDUE))
    return words
