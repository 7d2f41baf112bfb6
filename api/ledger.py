"""The ledger as the API asks it: never for longer than a client would wait, and not at all while it is away."""

import asyncio
import logging
from typing import Any, TypeVar

from api.breaker import Breaker, CannotReach
from api.probe import Probe
from api.problems import LEDGER_UNAVAILABLE, Problem, ledger_unavailable
from shared.ledger.calls import Call
from shared.ledger.connection import API_CONNECTIONS, AsyncLedger, LedgerUnavailable

T = TypeVar("T")
log = logging.getLogger(__name__)

# Above what one connect or one answer may take (shared.ledger.connection), below a second also when a broken
# connection is tried once more.
PATIENCE_SECONDS = 0.8


class BoundedLedger:
    """Runs ledger calls within PATIENCE_SECONDS each, waiting for a free connection included.

    When one did not reach the ledger, a probe finds out whether any would, and until it does requests are refused at
    once. How long that takes, and what else was thought of: docs/decisions/0008.
    """

    def __init__(self, ledger: AsyncLedger) -> None:
        self._ledger = ledger
        self._breaker = Breaker()
        self._probe = Probe(ledger, self._probed)
        # Who waits for a connection waits here and not in the pool, so that a call that is canceled never has to wait
        # for the pool to take its connection back. One connection is the probe's, and one hears of changes.
        self._connections = asyncio.Semaphore(API_CONNECTIONS - 2)

    async def run(self, call: Call[T]) -> T:
        """Run one atomic step.

        Raises:
            Problem: ledger-unavailable; the step may or may not have happened.
        """
        if not self._breaker.is_closed:
            await self._probe.first_look()
            self._require_closed()
        patience = asyncio.timeout(PATIENCE_SECONDS)
        try:
            async with patience, self._connections:
                self._require_closed()  # it may have opened while this waited for a connection
                return await self._ledger.run(call)
        except LedgerUnavailable as error:  # asyncio's own TimeoutError is an OSError
            raise self._problem(call, error, out_of_patience=patience.expired()) from error

    async def close(self) -> None:
        """Close every connection, and stop looking for the ledger."""
        await self._probe.stop()
        await self._ledger.close()

    def _require_closed(self) -> None:
        if not self._breaker.is_closed:
            raise ledger_unavailable()

    def _problem(self, call: Call[Any], error: Exception, *, out_of_patience: bool) -> Problem:
        """Return the answer, and take note of what `error` says about the ledger.

        To run out of patience says nothing: in an overload, most of it went by before there was a connection. What is
        away is found out sooner, by the limits of a connect and of an answer.
        """
        if not isinstance(error, CannotReach):
            log.warning("the ledger refused %s: %s: %s", call.script, type(error).__name__, error)
            return _refused()
        if out_of_patience:
            log.warning("%s did not come to its turn and its end within %s s", call.script, PATIENCE_SECONDS)
        elif self._breaker.doubt():
            log.warning("the ledger did not answer %s: %s: %s", call.script, type(error).__name__, error)
            self._probe.start()
        return ledger_unavailable()

    def _probed(self, *, answered: bool) -> None:
        self._breaker.probed(answered=answered)
        if answered:
            log.info("the ledger answers again")


def _refused() -> Problem:
    return Problem(LEDGER_UNAVAILABLE, "Redis answers, but cannot do this now.", headers={"Retry-After": "1"})
