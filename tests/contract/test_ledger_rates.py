"""The rate of one owner's requests: the whole quota at once, then evenly."""

import time

import pytest

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.ledger.records import Rate, RateState
from tests.waiting import eventually

HOURLY = Rate(5, 3_600_000)


def admit(ledger: Ledger, rate: Rate = HOURLY, owner: str = "ann") -> RateState:
    return ledger.run(calls.admit(owner, rate))


def test_the_whole_quota_may_come_at_once_and_not_one_more(ledger: Ledger) -> None:
    states = [admit(ledger) for _ in range(7)]

    assert [(state.admitted, state.remaining) for state in states] == [
        (True, 4),
        (True, 3),
        (True, 2),
        (True, 1),
        (True, 0),
        (False, 0),
        (False, 0),
    ]
    assert all(abs(state.full_in_ms - 720_000 * n) < 2_000 for n, state in enumerate(states[:5], start=1))
    assert abs(states[-1].next_in_ms - 720_000) < 2_000
    assert states[0].next_in_ms == 0


def test_an_owners_requests_cost_no_other(ledger: Ledger) -> None:
    for _ in range(6):
        admit(ledger)

    assert not admit(ledger).admitted
    assert admit(ledger, owner="ben").admitted
    assert admit(ledger, owner="").admitted


def test_what_was_spent_comes_back_evenly(ledger: Ledger) -> None:
    rate = Rate(10, 1_000)
    while admit(ledger, rate).admitted:
        pass

    refused = admit(ledger, rate)
    assert 0 < refused.next_in_ms <= 100
    time.sleep(refused.next_in_ms / 1000 + 0.01)

    assert admit(ledger, rate).admitted
    eventually(lambda: not ledger.client.exists("penstock:rate:ann"), within=5)
    assert admit(ledger, rate).remaining == 9


@pytest.mark.parametrize("quota", [1, 3, 7, 60, 1000])
def test_a_quota_is_met_to_the_last_request(ledger: Ledger, quota: int) -> None:
    states = [admit(ledger, Rate(quota, 3_600_000)) for _ in range(quota + 1)]

    assert [state.admitted for state in states] == [True] * quota + [False]
    assert states[quota - 1].remaining == 0
