"""Asking the ledger again and again while it is away: for the steps that are worth waiting for."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog

from shared.ledger.call import Call
from shared.ledger.connection import Ledger, LedgerUnavailable
from shared.ledger.records import Claim
from worker.wording import of_claims

T = TypeVar("T")
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0
log = structlog.get_logger()


def insist(
    ledger: Ledger,
    call: Call[T],
    *,
    again: Callable[[], Call[T]] | None = None,
    worth_it: Callable[[Exception], bool] = lambda _: True,
    claims: Sequence[Claim] = (),
) -> T:
    """Run a step that may be repeated, however long Redis is away, as long as the last failure leaves it `worth_it`.

    `again` returns the step to repeat it with, if that must say that it is a repetition; `claims` are what it is about.

    Raises:
        one of LedgerUnavailable: no longer worth waiting for; the step may or may not have happened.
    """
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return ledger.run(call)
        except LedgerUnavailable as error:
            if not worth_it(error):
                raise
            its = of_claims(claims) if claims else {}
            log.warning("waiting for the ledger", **its, step=call.script, error=type(error).__name__)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            call = again() if again else call
