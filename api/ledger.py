"""The ledger as the API asks it: never for longer than a client would wait, and not at all while it is away."""

import asyncio
import logging
from contextlib import suppress
from typing import Any, TypeVar

from redis.exceptions import TimeoutError as RedisTimeoutError

from api.breaker import Breaker, CannotReach
from api.budget import Budget
from api.metering import Missed
from api.probe import Probe
from api.problems import LEDGER_UNAVAILABLE, Problem, ledger_unavailable
from shared.ledger import calls
from shared.ledger.call import Call
from shared.ledger.connect import API_ANSWER_SECONDS, API_CONNECTIONS
from shared.ledger.connection import AsyncLedger, LedgerUnavailable
from shared.ledger.payload import is_large, patience

T = TypeVar("T")
log = logging.getLogger(__name__)

# Above what one connect or one answer may take (shared.ledger.connection), below a second also when a broken
# connection is tried once more.
PATIENCE_SECONDS = 0.8
LARGE_BYTES_AT_ONCE = 16 * 1024 * 1024  # one large image, or many small ones
LARGE_WAIT_SECONDS = 2.0  # for those before it; who sends megabytes is used to such a time


class BoundedLedger:
    """Runs ledger calls within PATIENCE_SECONDS each, waiting for a place included.

    A call with a large payload has more time, by its size, and waits until few others are under way. That it is slow
    says nothing about the ledger, so a small question is asked meanwhile.

    When one did not reach the ledger, a probe finds out whether any would, and until it does requests are refused at
    once. How long that takes, and what else was thought of: docs/decisions/0008.
    """

    def __init__(self, ledger: AsyncLedger, missed: Missed) -> None:
        self._ledger = ledger
        self._missed = missed  # told of every call that was not answered
        self._breaker = Breaker()
        self._probe = Probe(ledger, self._probed)
        # Calls share connections, but while the ledger is slow each may need its own: so many are let in, and nobody
        # ever waits in the pool. One connection is the probe's, and one hears of changes.
        self._places = asyncio.Semaphore(API_CONNECTIONS - 2)
        self._budget = Budget(LARGE_BYTES_AT_ONCE, LARGE_WAIT_SECONDS)
        self._question: asyncio.Task[None] | None = None

    async def run(self, call: Call[T]) -> T:
        """Run one atomic step.

        Raises:
            Problem: ledger-unavailable; the step may or may not have happened.
        """
        if not self._breaker.is_closed:
            await self._probe.first_look()
            self._require_closed()
        return await (self._run_large(call) if is_large(call.bytes) else self._run(call))

    async def _run(self, call: Call[T]) -> T:
        limit = asyncio.timeout(patience(PATIENCE_SECONDS, call.bytes))
        try:
            async with limit, self._places:
                self._require_closed()  # it may have opened while this waited for its place
                return await self._ledger.run(call)
        except LedgerUnavailable as error:  # asyncio's own TimeoutError is an OSError
            raise self._problem(call, error, out_of_patience=limit.expired()) from error

    async def _run_large(self, call: Call[T]) -> T:
        try:
            async with self._budget.spent(call.bytes):
                doubt = asyncio.get_running_loop().call_later(API_ANSWER_SECONDS, self._ask_a_small_question)
                try:
                    return await self._run(call)
                finally:
                    doubt.cancel()
        except TimeoutError:
            log.warning("%s had to wait for other large ones for %s s", call.script, LARGE_WAIT_SECONDS)
            raise _crowded() from None

    def _ask_a_small_question(self) -> None:
        """Have it found out whether the ledger is away: if it is, this call does not come to its end either."""
        if self._question is None or self._question.done():
            self._question = asyncio.create_task(self._look(), name="small question")

    async def _look(self) -> None:
        with suppress(Problem):  # which is all that comes of it: the breaker has been told
            await self.run(calls.census([]))  # reads nothing

    async def close(self) -> None:
        """Close every connection, and stop looking for the ledger."""
        if self._question is not None:
            self._question.cancel()
            await asyncio.wait([self._question])
        await self._probe.stop()
        await self._ledger.close()

    def _require_closed(self) -> None:
        if not self._breaker.is_closed:
            raise ledger_unavailable()

    def _problem(self, call: Call[Any], error: Exception, *, out_of_patience: bool) -> Problem:
        """Return the answer, and take note of what `error` says about the ledger.

        To run out of patience says nothing: in an overload, most of it went by before there was a connection. What is
        away is found out sooner, by the limits of a connect and of an answer. Nor does it say anything that a large
        call was slow.
        """
        if not isinstance(error, CannotReach):
            self._missed("refused")
            log.warning("the ledger refused %s: %s: %s", call.script, type(error).__name__, error)
            return _refused()
        self._missed("slow" if out_of_patience else "unreachable")
        if out_of_patience:
            seconds = patience(PATIENCE_SECONDS, call.bytes)
            log.warning("%s did not come to its turn and its end within %.1f s", call.script, seconds)
        elif is_large(call.bytes) and isinstance(error, RedisTimeoutError):
            log.warning("the ledger was too slow for %s with %s bytes: %s", call.script, call.bytes, error)
        elif self._breaker.doubt():
            log.warning("the ledger did not answer %s: %s: %s", call.script, type(error).__name__, error)
            self._probe.start()
        return ledger_unavailable()

    def _probed(self, *, answered: bool) -> None:
        self._breaker.probed(answered=answered)
        if answered:
            log.info("the ledger answers again")


def _crowded() -> Problem:
    return Problem(LEDGER_UNAVAILABLE, "Too many large inputs and results are under way.", headers={"Retry-After": "1"})


def _refused() -> Problem:
    return Problem(LEDGER_UNAVAILABLE, "Redis answers, but cannot do this now.", headers={"Retry-After": "1"})
