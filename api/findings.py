"""What the ledger has found, or has not, as what a request is told of it. Pure."""

from uuid import UUID

from api.eta import retry_after_refusal
from api.problems import OWNER_FULL, QUEUE_FULL, TASK_GONE, UNKNOWN_TASK, Problem, invalid
from shared.ledger.records import Full, Refusal
from shared.task import Missing, Task


def parse_id(text: str) -> str:
    """Return a task's id in the one spelling the ledger knows.

    Raises:
        Problem: invalid-input; it is no UUID.
    """
    try:
        return str(UUID(text))
    except ValueError:
        complaint = {"loc": ["path", "task_id"], "msg": "A task's id is a UUID", "type": "uuid_parsing"}
        raise invalid([complaint]) from None


def refused(refusal: Refusal) -> Problem:
    """Return the answer to a submit that was not accepted: 503 if the queue is full, 429 if its owner's share is."""
    headers = {"Retry-After": str(retry_after_refusal(refusal.ms_per_claim))}
    if refusal.full is Full.OWNER:
        return Problem(OWNER_FULL, f"{refusal.queued} of your tasks are queued already.", headers=headers)
    return Problem(QUEUE_FULL, f"{refusal.queued} tasks of this model are queued already.", headers=headers)


def known(id: str, task: Task | Missing) -> Task:
    """Return the task that was found.

    Raises:
        Problem: unknown-task or task-gone.
    """
    if task is Missing.GONE:
        raise Problem(TASK_GONE, f"Task {id} finished or was deleted, and is no longer kept.")
    if task is Missing.UNKNOWN:
        raise Problem(UNKNOWN_TASK, f"No task {id} was accepted here, or it was forgotten long ago.")
    return task


def location(id: str) -> bytes:
    """Return a task's path, as a header has it."""
    return b"/task/%b" % id.encode()
