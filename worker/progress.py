"""Progress from a model to the ledger: checked, thinned out, and never in the prediction's way."""

import math
import time

import structlog

from shared.ledger import calls
from shared.ledger.connection import Ledger, LedgerUnavailable
from shared.ledger.records import Claim
from shared.task import Progress

EVERY_SECONDS = 0.1  # a model may report in its innermost loop; Redis hears of it ten times a second
PAUSE_SECONDS = 5.0  # after a failure: a prediction must not wait for Redis at every step
LONGEST_NOTE = 200
log = structlog.get_logger()


class ProgressReporter:
    """What a model gets as `progress`. Reports that come too soon after the last are dropped."""

    def __init__(self, ledger: Ledger, claim: Claim) -> None:
        self._ledger = ledger
        self._claim = claim
        self._not_before = 0.0

    def __call__(self, fraction: float | None = None, message: str | None = None) -> None:
        """Report a fraction 0..1, a sentence, or both.

        Raises:
            ValueError: the fraction is no number, or nothing is reported.
        """
        progress = checked(fraction, message)
        now = time.monotonic()
        if now < self._not_before:
            return
        self._not_before = now + EVERY_SECONDS
        log.debug("progress", fraction=progress.fraction)  # the message is for the client, and may quote its input
        try:
            self._ledger.run(calls.progress(self._claim, progress))
        except LedgerUnavailable:
            self._not_before = time.monotonic() + PAUSE_SECONDS


def checked(fraction: float | None, message: str | None) -> Progress:
    """Return what may be stored: the fraction within 0..1, the message in one line of bounded length."""
    if fraction is not None:
        fraction = float(fraction)
        if math.isnan(fraction):
            raise ValueError("progress: the fraction is not a number")
        fraction = round(min(max(fraction, 0.0), 1.0), 4)
    if message is not None:
        message = " ".join(str(message).split())[:LONGEST_NOTE].encode(errors="replace").decode()
    return Progress(fraction, message or None)
