"""What a reader need not be told again."""

from shared.ledger.outlooks import BELIEVED_SECONDS, Outlooks
from shared.task import Outlook

BUSY = Outlook(slots=2, workers=1, run_ms=(10.0,), elapsed_ms=(3,), others=0)
ABANDONED = Outlook(slots=0, workers=0, run_ms=(), elapsed_ms=(), others=0)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_was_told_is_known_for_a_moment() -> None:
    clock = Clock()
    outlooks = Outlooks(clock)
    assert outlooks.fresh() == ""

    assert outlooks.learn("digits", BUSY) is BUSY
    outlooks.learn("wait", BUSY)

    assert outlooks.fresh() == ",digits,wait,"
    assert outlooks.known("digits") is BUSY
    clock.now += BELIEVED_SECONDS
    assert outlooks.fresh() == ""
    assert outlooks.known("digits") is BUSY  # a reading under way may still need it


def test_that_nobody_serves_a_model_is_asked_again_at_once() -> None:
    outlooks = Outlooks(Clock())

    outlooks.learn("wait", ABANDONED)

    assert outlooks.fresh() == ""
