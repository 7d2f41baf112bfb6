"""The breaker: whether it makes sense to ask the ledger at all. Pure: it is told what happened, and asks nobody."""

from enum import StrEnum

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

CannotReach = (RedisConnectionError, RedisTimeoutError, OSError)
"""What a call raises when the ledger did not answer it. A server that answers and refuses (it is full, or a replica)
is none of these: its reads still work."""


class Position(StrEnum):
    """What is believed of the ledger, and so what happens to a request."""

    CLOSED = "closed"  # it answers: ask
    DOUBTED = "doubted"  # one call did not reach it; whether that was the call or the ledger, the probe will tell: wait
    OPEN = "open"  # it is away: refuse


class Breaker:
    """Doubts the ledger at the first call that does not reach it, and then believes its probe alone.

    Calls that were under way when it opened end in their own time, and say nothing about now.
    """

    def __init__(self) -> None:
        self.position = Position.CLOSED

    @property
    def is_closed(self) -> bool:
        """Tell whether the ledger may be asked."""
        return self.position is Position.CLOSED

    def doubt(self) -> bool:
        """Take note of a call that did not reach the ledger; return whether that is news, and a probe must start."""
        if not self.is_closed:
            return False
        self.position = Position.DOUBTED
        return True

    def probed(self, *, answered: bool) -> None:
        """Take note of what the probe found."""
        self.position = Position.CLOSED if answered else Position.OPEN
