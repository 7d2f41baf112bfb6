"""One delivery: what it says, how it is signed, and what follows from what came back. Pure.

Headers and signature are those of Standard Webhooks 1.0.0.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from standardwebhooks import Webhook

from api.document import instant
from shared.keys import callback_secret
from shared.ledger.records import Delivery
from shared.task import DeliveryState

LONGEST_PAUSE_SECONDS = 7200.0
GROWTH = 3.0  # 5 s, 15 s, 45 s, ... two hours, until the task's retention ends
JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered, as far as it matters here."""

    status: int
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from a try."""

    state: DeliveryState
    pause_ms: int | None  # until the next try; None: there is none
    answer: str  # in a word, for the document


def payload_of(delivery: Delivery) -> str:
    """Return what is told: little, so that the result stays behind the door; who may read it follows the link."""
    data = {
        "task_id": delivery.task_id,
        "model": delivery.model,
        "status": delivery.status,
        "links": {"self": f"/task/{delivery.task_id}"},
    }
    document = {"type": f"task.{delivery.status}", "timestamp": instant(delivery.finished_ms), "data": data}
    return json.dumps(document, separators=(",", ":"))


def headers_of(delivery: Delivery, body: str, master: str, now: datetime) -> dict[str, str]:
    """Return the headers of a delivery, signed at `now`, which has a time zone: the library takes UTC for granted."""
    id = f"{delivery.task_id}-{delivery.end}"
    return {
        "Content-Type": "application/json",
        "User-Agent": "Penstock",
        "webhook-id": id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(callback_secret(master, delivery.owner)).sign(id, now, body),
    }


def after(answer: Answer | str, attempt: int, first_pause: float, chance: float) -> Verdict:
    """Decide what follows from an answer, or from the word for why there was none.

    Delivered is a 2xx and nothing else: not a redirect, which may lead inside. A 410 says not to come again. `chance`,
    from 0 up to 1, keeps deliveries that failed together from being tried together.
    """
    if answer == "forbidden":
        return Verdict(DeliveryState.FAILED, None, answer)
    if isinstance(answer, str):
        return Verdict(DeliveryState.PENDING, _pause_ms(attempt, first_pause, chance, 0.0), answer)
    word = str(answer.status)
    if HTTPStatus(200) <= answer.status < HTTPStatus(300):
        return Verdict(DeliveryState.DELIVERED, None, word)
    if answer.status == HTTPStatus.GONE:
        return Verdict(DeliveryState.FAILED, None, word)
    wanted = seconds_of(answer.retry_after)
    return Verdict(DeliveryState.PENDING, _pause_ms(attempt, first_pause, chance, wanted), word)


def seconds_of(retry_after: str | None) -> float:
    """Return the seconds of a Retry-After; 0 for none, or for a date."""
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 0.0


def _pause_ms(attempt: int, first_pause: float, chance: float, wanted: float) -> int:
    grown = first_pause * GROWTH ** min(attempt - 1, 20)
    pause = min(max(grown, wanted), LONGEST_PAUSE_SECONDS)
    return int(1000 * pause * (1 - JITTER + 2 * JITTER * chance))
