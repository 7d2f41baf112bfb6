"""The observer notices when it stands still itself, and no request is blamed for it."""

import asyncio
import time

import pytest

from tests.faults.availability import no_request_hangs
from tests.faults.observations import Answer, History, Pause
from tests.faults.observer import notice_pauses, seconds_without


@pytest.mark.parametrize(
    ("pauses", "hangs"),
    [
        ([], True),
        ([Pause(101.2, 0.3)], False),
        ([Pause(100.0, 1.2)], False),
        ([Pause(101.1, 0.05), Pause(102.5, 9.0)], False),
        ([Pause(101.2, 0.05)], True),
        ([Pause(99.0, 2.0), Pause(102.6, 5.0)], True),  # before and after
    ],
)
def test_a_request_is_not_slow_because_the_observer_is(pauses: list[Pause], hangs: bool) -> None:
    found = History(answers=[Answer("api-0", "read", "a", 101.0, 1.6, 200)], pauses=pauses)
    assert [violation.kind for violation in no_request_hangs(found)] == (["hung"] if hangs else [])


def test_time_that_something_took_counts_without_what_the_observer_missed_of_it() -> None:
    assert seconds_without([Pause(99.0, 2.0), Pause(103.0, 1.0)], 100.0, 105.0) == 3.0


def test_the_observer_notices_when_it_stands_still() -> None:
    async def stand_still() -> list[Pause]:
        pauses: list[Pause] = []
        noticing = asyncio.create_task(notice_pauses(pauses))
        await asyncio.sleep(0.05)
        asyncio.get_running_loop().call_soon(time.sleep, 0.5)
        await asyncio.sleep(0.05)
        noticing.cancel()
        return pauses

    assert max(pause.seconds for pause in asyncio.run(stand_still())) > 0.4
