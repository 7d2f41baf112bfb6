"""What was seen from outside: the HTTP answers, the models' executions, the logs, and what was done to the system.

Instants are seconds of the monotonic clock, which all processes of a machine share.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.task import DEFAULT_PRIORITY

FINAL = ("succeeded", "failed", "canceled")
TALLY, TOGETHER = "tally", "tally_together"  # the models: the second one computes in batches
MODELS = (TALLY, TOGETHER)
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Setup:
    """What the system is told to be."""

    workers: int = 2
    children: int = 3
    apis: int = 2
    lease_seconds: float = 2.0
    max_attempts: int = 5
    drain_seconds: float = 1.0
    limit_seconds: float = 6.0  # of both models
    most_together: int = 6  # tasks in a batch


@dataclass(frozen=True, slots=True)
class Asked:
    """One task as its client wants it."""

    token: str
    seconds: float
    reports: int = 0
    behave: str = "succeed"
    cancel_after: float | None = None
    model: str = TALLY
    priority: int = DEFAULT_PRIORITY


@dataclass(frozen=True, slots=True)
class Sighting:
    """A task's document, when it was first seen to read so."""

    at: float
    document: Document

    @property
    def is_final(self) -> bool:
        return self.document["status"] in FINAL


@dataclass(slots=True)
class Task:
    """An accepted task, as its client saw it."""

    asked: Asked
    id: str
    accepted: float
    sightings: list[Sighting] = field(default_factory=list)
    cancels: list[int | None] = field(default_factory=list)  # the statuses that asking for it got; None: no answer
    at_the_end: Document | None = None
    sent: float = math.inf  # when its client asked for the first time; that answer may have been lost

    @property
    def began(self) -> float:
        """From when on it may have been in the ledger."""
        return min(self.sent, self.accepted)

    @property
    def final(self) -> Sighting | None:
        """The first final document that was seen."""
        return next((sighting for sighting in self.sightings if sighting.is_final), None)

    def see(self, at: float, document: Document) -> None:
        """Note a document, unless it reads like the last one but for its progress."""
        if not self.sightings or _gist(self.sightings[-1].document) != _gist(document):
            self.sightings.append(Sighting(at, document))


def _gist(document: Document) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in ("progress", "queue")}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one HTTP request got."""

    api: str
    what: str  # submit, read, cancel
    token: str
    began: float
    seconds: float
    status: int | None  # None: no answer, but an error of the connection
    retry_after: str | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """The observer's own process stood still."""

    began: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Execution:
    """A model began to compute a task, perhaps with others; each of those has its own."""

    token: str
    pid: int
    parent: int
    at: float
    together: tuple[str, ...] = ()  # the tokens of all that it computes, in its order

    @property
    def is_batch(self) -> bool:
        return len(self.together) > 1


@dataclass(frozen=True, slots=True)
class Hand:
    """A child heard that it has won claims."""

    claims: tuple[tuple[str, int], ...]  # task id, token
    pid: int
    at: float

    @property
    def is_batch(self) -> bool:
        return len(self.claims) > 1


@dataclass(frozen=True, slots=True)
class Loss:
    """A worker took an attempt back whose own had died."""

    id: str
    pid: int = 0  # of the child that died; 0: its lease had ended, and nobody can tell


@dataclass(frozen=True, slots=True)
class Overrun:
    """A keeper killed a child that was past its time limit."""

    pid: int
    first: str  # the first task that it still held, by id


@dataclass(frozen=True, slots=True)
class Finish:
    """A child said in its log how an attempt ended, and whether the ledger accepted that."""

    id: str
    attempt: int
    outcome: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that was done to the system."""

    kind: str
    struck: float
    ended: float  # of the outage that it made; a kill's is the kill itself
    restored: float = 0.0  # when what it took away was there again; 0: at its end
    deadly: bool = False  # the processes in `pids` died of it
    hinders: bool = False  # may keep others from recovering: the server or a worker was away
    everyone: bool = False  # hit every running task, else:
    pids: frozenset[int] = frozenset()  # hit the tasks on these processes, or on children of theirs
    tasks: frozenset[str] = frozenset()  # hit these, by id
    frozen: frozenset[int] = frozenset()  # processes that stood still meanwhile
    api: str = ""  # the API that could not answer meanwhile

    @property
    def harmless_from(self) -> float:
        return max(self.ended, self.restored)


@dataclass(frozen=True, slots=True)
class Exit:
    """A worker or an API process ended."""

    unit: str
    pid: int
    code: int
    at: float
    was_ready: bool
    log: str = ""  # its last lines


@dataclass(frozen=True, slots=True)
class Capacity:
    """What is there at the very end, with nothing left to do."""

    children: Mapping[str, int] = field(default_factory=dict)  # by worker, living
    # By model: children that ran it at the same time when there was enough to do for each.
    at_work: Mapping[str, int] = field(default_factory=dict)
    ready: Mapping[str, Document] = field(default_factory=dict)  # of /readyz, by model: workers and slots
    queue: Mapping[str, Document] = field(default_factory=dict)  # of /models, by model: queued and running
    left_behind: tuple[int, ...] = ()  # process groups of ended programs that still have members


@dataclass(slots=True)
class History:
    """Everything that was seen of one run."""

    setup: Setup = field(default_factory=Setup)
    tasks: list[Task] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    finishes: list[Finish] = field(default_factory=list)
    hands: list[Hand] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    overruns: list[Overrun] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    felled: set[int] = field(default_factory=set)  # processes that the harness killed or told to stop
    overstayed: list[str] = field(default_factory=list)  # told to stop, and did not
    complaints: list[str] = field(default_factory=list)  # log lines that should never be written
    capacity: Capacity = field(default_factory=Capacity)
    over: float = 0.0  # when load and faults had ended
