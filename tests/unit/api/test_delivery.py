"""What a callback says, how it is signed, and what follows from what came back."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from api.delivery import LONGEST_PAUSE_SECONDS, Answer, after, headers_of, payload_of
from shared.keys import callback_secret
from shared.ledger.records import Delivery
from shared.task import DeliveryState, Status

ID = "6b1f4749-c617-4f5a-b9ef-9d2dfb8e69e5"
MASTER = "a master secret of 32 characters"
DELIVERY = Delivery(ID, 2, 1, "https://hooks.example.com/", "ann", "wait", Status.SUCCEEDED, 1_700_000_000_123)


def test_it_tells_what_ended_and_where_to_look_and_no_more() -> None:
    assert json.loads(payload_of(DELIVERY)) == {
        "type": "task.succeeded",
        "timestamp": "2023-11-14T22:13:20.123Z",
        "data": {"task_id": ID, "model": "wait", "status": "succeeded", "links": {"self": f"/task/{ID}"}},
    }


def test_its_owners_secret_verifies_it_and_no_other() -> None:
    body = payload_of(DELIVERY)
    headers = headers_of(DELIVERY, body, MASTER, datetime.now(UTC))

    assert headers["webhook-id"] == f"{ID}-2"
    assert Webhook(callback_secret(MASTER, "ann")).verify(body, headers) == json.loads(body)
    for other in (callback_secret(MASTER, "ben"), callback_secret(MASTER, ""), callback_secret(MASTER + "x", "ann")):
        with pytest.raises(WebhookVerificationError):
            Webhook(other).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(callback_secret(MASTER, "ann")).verify(body.replace("succeeded", "canceled!"), headers)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Answer(200), DeliveryState.DELIVERED),
        (Answer(204), DeliveryState.DELIVERED),
        (Answer(410), DeliveryState.FAILED),
        ("forbidden", DeliveryState.FAILED),
        (Answer(199), DeliveryState.PENDING),
        (Answer(301), DeliveryState.PENDING),
        (Answer(307), DeliveryState.PENDING),
        (Answer(400), DeliveryState.PENDING),
        (Answer(429), DeliveryState.PENDING),
        (Answer(500), DeliveryState.PENDING),
        ("timeout", DeliveryState.PENDING),
        ("unresolved", DeliveryState.PENDING),
    ],
)
def test_what_follows(answer: Answer | str, state: DeliveryState) -> None:
    verdict = after(answer, 1, 5.0, 0.5)
    assert verdict.state is state
    assert (verdict.pause_ms is not None) == (state is DeliveryState.PENDING)
    assert verdict.answer == (answer if isinstance(answer, str) else str(answer.status))


def test_pauses_grow_and_a_receiver_may_ask_for_longer() -> None:
    assert [after("timeout", attempt, 5.0, 0.5).pause_ms for attempt in (1, 2, 3)] == [5_000, 15_000, 45_000]
    assert after(Answer(503, "60"), 1, 5.0, 0.5).pause_ms == 60_000
    assert after(Answer(503, "1"), 2, 5.0, 0.5).pause_ms == 15_000
    assert after(Answer(503, "Wed, 21 Oct 2026 07:28:00 GMT"), 1, 5.0, 0.5).pause_ms == 5_000


@given(st.integers(1, 10**6), st.floats(0.1, 3600), st.floats(0, 1, exclude_max=True), st.text() | st.none())
def test_a_pause_is_bounded_whatever_a_receiver_says(attempt: int, first: float, chance: float, said: str) -> None:
    pause = after(Answer(503, said), attempt, first, chance).pause_ms
    assert pause is not None
    assert 0 < pause <= LONGEST_PAUSE_SECONDS * 1000 * 1.1
