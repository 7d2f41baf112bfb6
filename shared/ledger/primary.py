"""Which server is the primary, as sentinels tell it: whose answer is taken, and for how long. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from redis.exceptions import ConnectionError as RedisConnectionError

BELIEVED_SECONDS = 0.5  # then the sentinels are asked again
SHARE = 10  # what a look may take of the time: one that waits for sentinels that are cut off is not repeated at once


class PrimaryUnknownError(RedisConnectionError):
    """No sentinel can be reached that knows a primary that is up. The message says why of each."""


class Primary(NamedTuple):
    """A server, and the number of the failover that made it the primary."""

    host: str
    port: int
    epoch: int


def named(state: Mapping[str, Any], place: tuple[str, int]) -> Primary | None:
    """Return the primary that a sentinel's answers name; None if it holds it for down.

    While a sentinel carries out a failover its `state` is of the old primary, and `place` where the new one is, up to a
    second before the others are told.
    """
    host, port, epoch = str(state["ip"]), int(state["port"]), int(state["config-epoch"])
    if place != (host, port):
        return Primary(*place, epoch + 1)
    if not state["is_master"] or state["is_sdown"] or state["is_odown"]:
        return None
    return Primary(host, port, epoch)


class Round:
    """One round of questions: whose answer is taken. Pure.

    A sentinel that was cut off may name a primary of the past. So an answer that is older than what was heard before is
    taken only when nobody has a newer one: sentinels that were all set up anew begin to count anew.
    """

    def __init__(self, name: str, latest: Primary | None) -> None:
        self._name = name
        self._latest = latest
        self._best: Primary | None = None
        self._failures: list[str] = []

    def hear(self, found: Primary | None) -> bool:
        """Take note of an answer; return whether no other is needed."""
        if found is None:
            self._failures.append("says that it is down")
            return False
        if self._best is None or found.epoch > self._best.epoch:
            self._best = found
        return self._latest is None or found.epoch >= self._latest.epoch

    def fail(self, place: str, error: Exception) -> None:
        """Take note that a sentinel gave no answer."""
        self._failures.append(f"{place}: {error}")

    def result(self) -> Primary:
        """Return the primary.

        Raises:
            PrimaryUnknownError: nobody has named one.
        """
        if self._best is None:
            raise PrimaryUnknownError(f"no sentinel names a primary {self._name} ({'; '.join(self._failures)})")
        return self._best


def next_look(began: float, ended: float) -> float:
    """Return from when on the sentinels may be asked again, of whom the last answer has come."""
    return ended + max(BELIEVED_SECONDS, SHARE * (ended - began))
