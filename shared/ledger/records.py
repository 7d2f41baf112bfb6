"""What goes into the ledger's steps and what comes out of them, beside the task itself (shared/task.py). Pure."""

from dataclasses import dataclass, field
from enum import Enum

from shared.task import DEFAULT_PRIORITY, Missing, Status, Task, TaskError


@dataclass(frozen=True, slots=True)
class Submission:
    """A task as a client hands it in."""

    id: str
    model: str
    input: bytes  # JSON, checked
    owner: str = ""  # who may see it; empty while no one is asked for a key
    priority: int = DEFAULT_PRIORITY
    time_limit_ms: int | None = None  # how long it may run; None: as long as the model allows
    expires_in_ms: int | None = None  # how long it may wait to be claimed for the first time; None: for ever
    key: "Key | None" = None
    callback: str = ""  # the URL to tell of every end of the task; empty: none
    request_id: str = ""  # of the request that brings it: on the lines of whoever runs it
    traceparent: str = ""  # of that request's span (W3C), if it is traced


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a submit that is sent again the same submit (Idempotency-Key)."""

    digest: str  # of the key that the client chose
    fingerprint: str  # of everything that was asked for; the same key with another one is a client's mistake


@dataclass(frozen=True, slots=True)
class Admission:
    """How many tasks may wait before a submit is refused."""

    max_queued: int  # of one model
    max_queued_of_owner: int | None  # of one owner, whatever the model; None: no limit


class Full(Enum):
    """Which limit a submit ran into."""

    QUEUE = "queue_full"
    OWNER = "owner_full"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A submit that was not accepted; nothing was stored."""

    full: Full
    queued: int  # how many wait: of the model, or of the owner
    ms_per_claim: int | None  # how often a place falls free, by the latest claims; None before the first


@dataclass(frozen=True, slots=True)
class Replay:
    """A submit that had been accepted before under the same key; nothing new was stored."""

    id: str
    task: Task | Missing  # as it is now; GONE if it was forgotten


class KeyReused:
    """A submit whose key had come with another request before; nothing was stored."""


@dataclass(frozen=True, slots=True)
class Retry:
    """What came of asking for a task to be run again."""

    task: Task | Missing
    accepted: bool  # False: it is neither failed nor canceled, or there is no such task


@dataclass(frozen=True, slots=True)
class Page:
    """A part of an owner's tasks, the newest first, without their results."""

    tasks: tuple[Task, ...]
    before: int | None  # what to ask for the next part with; None: there is no more


@dataclass(slots=True)
class Claim:
    """The right to run a task: what a child needs to compute it and to prove that it may publish."""

    id: str
    token: int  # the attempt's number; only the latest is accepted
    model: str
    input: bytes
    time_limit_ms: int | None = None  # what its client asked for, if less than the model's
    waited_ms: int = field(default=0, compare=False)  # since it was submitted, or retried by its client
    request_id: str = ""  # of the request that did that
    traceparent: str = ""  # of that request's span, if it was traced
    # Of the request to claim that won it. A failover may hand the number out twice; with the nonce it is nobody else's.
    nonce: str = field(default="", compare=False)

    def take_input(self) -> bytes:
        """Return the input, and hold it no longer: once it is parsed it would only take up room."""
        input, self.input = self.input, b""
        return input


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model that a child takes tasks of."""

    model: str
    most: int = 1  # how many at once, to be computed together
    wait_ms: int = 0  # how long the oldest of them may wait for company, if there are fewer


@dataclass(frozen=True, slots=True)
class Asking:
    """A child's request to claim what comes next.

    `nonce` is new for every request, and the same when it is made `again` after an answer that was lost: then it wins
    what it has won before.
    """

    worker: str
    nonce: str
    lease_ms: int
    wanted: tuple[Wanted, ...] = ()  # in the order of preference among equals
    again: bool = False


@dataclass(frozen=True, slots=True)
class Won:
    """What a request to claim came to: tasks of one model, to be computed together; or none, and why."""

    claims: tuple[Claim, ...] = ()
    wait_ms: int | None = None  # there are tasks, and they had better wait for company for so long; None: not so


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt came to its end, as its child has it: with a result, or an error."""

    id: str
    token: int
    outcome: bytes | TaskError
    nonce: str = ""  # as of its claim
    ran_ms: int = 0  # for the log; the ledger has its own clock


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of ending attempts: which were accepted, in their order; and what was claimed in the same step."""

    accepted: tuple[bool, ...]
    won: Won


@dataclass(frozen=True, slots=True)
class ChildMemory:
    """What one child takes, in bytes, with all the models that it has loaded."""

    pss: int  # what it has to itself, and its share of what it shares
    private: int  # what it has to itself


@dataclass(frozen=True, slots=True)
class ModelCensus:
    """What the ledger knows of one model at one instant."""

    queued: int
    running: int
    workers: int  # live workers that have loaded it
    slots: int  # children of those workers
    typical_run_ms: float | None  # median of its latest successes; of one in a batch, its share of the time
    memory: tuple[ChildMemory, ...] = ()  # of each child of those workers that was measured
    mean_batch: float | None = None  # how many tasks its latest claims have won, if it batches


@dataclass(frozen=True, slots=True)
class Rate:
    """How many requests one owner may make in a time: all at once, then evenly."""

    quota: int
    window_ms: int


@dataclass(frozen=True, slots=True)
class RateState:
    """Where an owner stands after one more request."""

    admitted: bool
    remaining: int  # how many more would be admitted now
    full_in_ms: int  # when all of the quota would be
    next_in_ms: int  # when the next would be, if this one is not


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is to be told of one end of a task, and to whom."""

    task_id: str
    end: int  # which of the task's ends: more than one, if it was retried
    attempt: int  # which try to deliver it
    url: str
    owner: str
    model: str
    status: Status
    finished_ms: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the reaper did about one task: queued again, failed, expired, or its message resent."""

    id: str
    outcome: str
    attempt: int = 0  # the latest
    request_id: str = ""  # of the request that had submitted or retried it


Submitted = Task | Replay | Refusal | KeyReused
