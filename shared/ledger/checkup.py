"""What the ledger says of itself when an operator looks whether all is well. Pure; lua/checkup.lua reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A live worker that has loaded a model."""

    name: str
    slots: int  # children that can run it; they run the worker's other models too
    busy: int  # how many of those hold a claim, of whichever model
    shape: str  # of the model as this worker has it (shared/shape.py); empty: it does not say

    @property
    def free(self) -> int:
        """How many children could take a task now."""
        return max(self.slots - self.busy, 0)


@dataclass(frozen=True, slots=True)
class ModelState:
    """One model that was ever served or asked for."""

    name: str
    queued: int
    running: int
    oldest_ms: int  # how long the oldest queued task has waited; 0 if there is none
    expired: int  # running tasks whose lease has ended, and that no reaper has taken back
    expired_ms: int  # how long ago the first of these leases ended; 0 if there is none
    workers: tuple[WorkerState, ...]

    @property
    def free(self) -> int:
        """How many of its tasks could be started now."""
        return sum(worker.free for worker in self.workers)

    @property
    def slots(self) -> int:
        """How many of its tasks could run at once if nothing else did."""
        return sum(worker.slots for worker in self.workers)


@dataclass(frozen=True, slots=True)
class OutboxState:
    """Callbacks that are yet to be delivered."""

    waiting: int
    overdue_ms: int  # for how long the first has been due, and nobody has taken it; 0 if none is
    tries: int  # the most that any of the first hundred has behind it


@dataclass(frozen=True, slots=True)
class Checkup:
    """The ledger at one instant."""

    now_ms: int  # by the server's clock
    models: tuple[ModelState, ...]
    outbox: OutboxState


def checkup_of(reply: Any) -> Checkup:
    """Read the answer of the script."""
    now_ms, models, outbox = reply
    states = sorted(map(_model, models), key=lambda state: state.name)
    return Checkup(now_ms, tuple(states), OutboxState(*outbox))


def _model(row: Sequence[Any]) -> ModelState:
    name, queued, running, oldest_ms, expired, expired_ms, workers = row
    found = tuple(map(_worker, workers))
    return ModelState(name.decode(), queued, running, oldest_ms, expired, expired_ms, found)


def _worker(row: Sequence[Any]) -> WorkerState:
    name, slots, busy, shape = row
    return WorkerState(name.decode(), int(slots), busy, shape.decode())
