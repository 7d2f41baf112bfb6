"""A task of the ledger in plain Python, for the model that the ledger is compared with."""

from dataclasses import dataclass, field

from shared.ledger.records import Claim
from shared.task import ErrorCode, Status

MAX_ATTEMPTS = 2


@dataclass
class Reference:
    """One task, as the contract describes it."""

    priority: int
    order: int  # of arrival in the queue
    number: int  # of submission
    status: Status = Status.QUEUED
    attempt: int = 0
    lost: int = 0
    error: ErrorCode | None = None
    overdue: bool = False  # expired, and not noticed yet: readers know, the queue does not
    sighted: bool = False
    lease_expired: bool = False
    result: bytes | None = None
    forgotten: bool = False
    claims: list[Claim] = field(default_factory=list)
    nonces: list[str] = field(default_factory=list)  # of the claims
    losses: int = 0  # since ever; a retry begins `lost` anew

    def holds(self, token: int) -> bool:
        return self.status is Status.RUNNING and self.attempt == token

    @property
    def is_in_queue(self) -> bool:
        return self.status is Status.QUEUED or self.overdue

    @property
    def place(self) -> tuple[int, int]:
        return -self.priority, self.order

    def has_ended(self, token: int, status: Status, error: ErrorCode | None = None) -> bool:
        """Whether this claim ended it just so: said again, it is accepted again and changes nothing."""
        return not self.forgotten and (self.status, self.attempt, self.error) == (status, token, error)

    def lose(self) -> None:
        self.lost += 1
        self.losses += 1
        self.status = Status.FAILED if self.lost >= MAX_ATTEMPTS else Status.QUEUED
        self.error = ErrorCode.WORKER_LOST if self.status is Status.FAILED else None
        self.sighted = self.lease_expired = False
