"""What a child holds, in which portions its outcomes are handed in, and what the log says of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from shared.ledger.records import Claim, Ended
from shared.task import TaskError
from worker.execution import Outcome
from worker.wording import of_claims

STEP_BYTES = 4 * 1024 * 1024  # of results in one step of the ledger, which does nothing else meanwhile
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Hand:
    """What a child holds: claims of one model that are computed together, and the request that has won them."""

    claims: tuple[Claim, ...]
    nonce: str


def portions(ended: Sequence[Ended]) -> Iterator[list[Ended]]:
    """Yield what was computed in parts that the ledger takes in one step each: of STEP_BYTES, or of one result."""
    part: list[Ended] = []
    size = 0
    for each in ended:
        bytes = 0 if isinstance(each.outcome, TaskError) else len(each.outcome)
        if part and size + bytes > STEP_BYTES:
            yield part
            part, size = [], 0
        part.append(each)
        size += bytes
    yield part


def note(hand: Hand, ended: Sequence[Ended], accepted: Sequence[bool]) -> None:
    """Log how attempts ended: a line each, which tells as well how it came to them (see docs/logs.md)."""
    size, claims = len(hand.claims), {claim.id: claim for claim in hand.claims}
    for each, is_accepted in zip(ended, accepted, strict=True):
        claim = claims[each.id]
        log.info(
            "finished",
            **of_claims([claim]),
            outcome=word(each.outcome),
            accepted=is_accepted,
            waited_ms=claim.waited_ms,
            ran_ms=each.ran_ms,
            **({"batch": size} if size > 1 else {}),
        )


def word(outcome: Outcome) -> str:
    """Return an outcome in a word."""
    return outcome.code.value if isinstance(outcome, TaskError) else "succeeded"
