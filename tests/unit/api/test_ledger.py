"""What a request waits for, and for how long. A ledger that fails to order stands in for Redis; the real one, frozen,
killed and full, is in tests/integration/api/test_away.py."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError
from redis.exceptions import TimeoutError as RedisTimeoutError

import api.ledger
from api.ledger import LARGE_BYTES_AT_ONCE, BoundedLedger
from api.probe import FIRST_SECONDS
from api.problems import Problem
from shared.ledger import calls
from shared.ledger.call import Call

READ: Call[None] = Call("read", (), lambda _: None)
LARGE: Call[None] = Call("large", (), lambda _: None, LARGE_BYTES_AT_ONCE)  # nothing large beside it
PROBE = calls.census([])
Answer = Callable[[], Awaitable[None]]


class Scripted:
    """A ledger whose calls and probes do what they are told."""

    def __init__(self) -> None:
        self.read: Answer = answers
        self.large: Answer = answers
        self.probe: Answer = answers
        self.asked: list[str] = []

    async def run(self, call: Call[Any]) -> None:
        self.asked.append(call.script)
        await {PROBE.script: self.probe, LARGE.script: self.large}.get(call.script, self.read)()

    async def close(self) -> None:
        self.asked.append("close")


async def answers() -> None:
    pass


async def fails() -> None:
    await asyncio.sleep(0)
    raise RedisConnectionError


async def is_too_slow() -> None:
    await asyncio.sleep(0)
    raise RedisTimeoutError


async def hangs() -> None:
    await asyncio.sleep(60)


def soon(seconds: float) -> Answer:
    async def answer() -> None:
        await asyncio.sleep(seconds)

    return answer


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
def ledger(scripted: Scripted) -> BoundedLedger:
    return BoundedLedger(scripted, [].append)  # type: ignore[arg-type]


def play(scene: Callable[[], Coroutine[Any, Any, None]], ledger: BoundedLedger) -> None:
    async def closing() -> None:
        async with asyncio.timeout(10):
            try:
                await scene()
            finally:
                await ledger.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(closing())


async def refused(ledger: BoundedLedger, call: Call[None] = READ) -> float:
    """Ask, which must be refused; return how long that took."""
    before = time.monotonic()
    with pytest.raises(Problem) as found:
        await ledger.run(call)
    assert found.value.kind.status == 503
    assert found.value.headers == {"Retry-After": "1"}
    return time.monotonic() - before


def test_while_it_is_away_nobody_waits_and_nothing_is_asked(scripted: Scripted, ledger: BoundedLedger) -> None:
    async def scene() -> None:
        scripted.read = scripted.probe = fails
        await refused(ledger)
        await asyncio.sleep(0.01)
        scripted.read = answers  # which nobody finds out before the probe
        for _ in range(100):
            assert await refused(ledger) < FIRST_SECONDS / 2
        assert scripted.asked.count(READ.script) == 1

    play(scene, ledger)


def test_it_is_asked_again_as_soon_as_the_probe_is_answered(scripted: Scripted, ledger: BoundedLedger) -> None:
    async def scene() -> None:
        scripted.read = scripted.probe = fails
        await refused(ledger)
        await asyncio.sleep(0.3)
        assert 2 <= scripted.asked.count(PROBE.script) <= 5  # it does not spin
        scripted.read = scripted.probe = answers
        await asyncio.sleep(0.2)
        await ledger.run(READ)

    play(scene, ledger)


def test_one_call_that_fails_is_nobody_elses_503(scripted: Scripted, ledger: BoundedLedger) -> None:
    async def scene() -> None:
        scripted.read, scripted.probe = fails, soon(FIRST_SECONDS / 4)
        await refused(ledger)
        scripted.read = answers
        await asyncio.gather(*(ledger.run(READ) for _ in range(100)))  # these wait for the first look
        assert scripted.asked.count(PROBE.script) == 1

    play(scene, ledger)


def test_a_first_look_that_hangs_is_not_waited_for(scripted: Scripted, ledger: BoundedLedger) -> None:
    async def scene() -> None:
        scripted.read, scripted.probe = fails, hangs
        await refused(ledger)
        waits = await asyncio.gather(*(refused(ledger) for _ in range(10)))
        assert FIRST_SECONDS / 2 < min(waits) <= max(waits) < FIRST_SECONDS * 3
        assert await refused(ledger) < FIRST_SECONDS / 2

    play(scene, ledger)


def test_many_failures_at_once_start_one_probe(scripted: Scripted, ledger: BoundedLedger) -> None:
    async def scene() -> None:
        scripted.read, scripted.probe = fails, hangs
        await asyncio.gather(*(refused(ledger) for _ in range(50)))
        assert scripted.asked.count(PROBE.script) == 1

    play(scene, ledger)


def test_a_server_that_answers_and_refuses_is_not_away(scripted: Scripted, ledger: BoundedLedger) -> None:
    async def full() -> None:
        raise OutOfMemoryError

    async def scene() -> None:
        scripted.read = full
        await refused(ledger)
        scripted.read = answers
        await ledger.run(READ)
        assert PROBE.script not in scripted.asked

    play(scene, ledger)


def test_a_probe_that_is_refused_was_answered(scripted: Scripted, ledger: BoundedLedger) -> None:
    async def full() -> None:
        raise OutOfMemoryError

    async def scene() -> None:
        scripted.read, scripted.probe = fails, full
        await refused(ledger)
        scripted.read = answers
        await ledger.run(READ)

    play(scene, ledger)


def test_a_defect_does_not_end_the_probe(scripted: Scripted, ledger: BoundedLedger) -> None:
    async def defect() -> None:
        raise AttributeError

    async def scene() -> None:
        scripted.read, scripted.probe = fails, defect
        await refused(ledger)
        await asyncio.sleep(0.15)
        scripted.read = scripted.probe = answers
        await asyncio.sleep(0.2)
        await ledger.run(READ)

    play(scene, ledger)


def test_too_many_requests_are_refused_without_doubt(
    scripted: Scripted, ledger: BoundedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.ledger, "PATIENCE_SECONDS", 0.2)

    async def scene() -> None:
        scripted.read = soon(0.15)
        results = await asyncio.gather(*(ledger.run(READ) for _ in range(200)), return_exceptions=True)
        assert {type(result) for result in results} == {type(None), Problem}
        scripted.read = answers
        await ledger.run(READ)
        assert PROBE.script not in scripted.asked

    play(scene, ledger)


def test_who_waits_for_a_connection_is_refused_when_it_goes(scripted: Scripted, ledger: BoundedLedger) -> None:
    async def slowly_fails() -> None:
        await asyncio.sleep(0.1)
        raise RedisConnectionError

    async def scene() -> None:
        scripted.read, scripted.probe = slowly_fails, hangs
        waits = await asyncio.gather(*(refused(ledger) for _ in range(200)))
        assert max(waits) < 0.5  # none of them after the others
        assert scripted.asked.count(READ.script) < 64

    play(scene, ledger)


def test_closing_ends_the_probe(scripted: Scripted, ledger: BoundedLedger) -> None:
    async def scene() -> None:
        scripted.read, scripted.probe = fails, hangs
        await refused(ledger)

    before = time.monotonic()
    play(scene, ledger)  # which looks that no task is left
    assert time.monotonic() - before < 1
    assert scripted.asked[-1] == "close"


def test_a_large_call_that_is_too_slow_is_nobody_elses_503(scripted: Scripted, ledger: BoundedLedger) -> None:
    async def scene() -> None:
        scripted.large, scripted.probe = is_too_slow, fails
        await refused(ledger, LARGE)
        await ledger.run(READ)
        assert PROBE.script not in scripted.asked

    play(scene, ledger)


def test_a_large_call_that_is_cut_off_says_as_much_as_a_small_one(scripted: Scripted, ledger: BoundedLedger) -> None:
    async def scene() -> None:
        scripted.large = scripted.probe = fails
        await refused(ledger, LARGE)
        await refused(ledger)
        assert READ.script not in scripted.asked

    play(scene, ledger)


def test_a_large_call_has_more_time(scripted: Scripted, ledger: BoundedLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.ledger, "PATIENCE_SECONDS", 0.01)

    async def scene() -> None:
        scripted.large = scripted.read = soon(0.1)
        await asyncio.gather(ledger.run(LARGE), refused(ledger))

    play(scene, ledger)


@pytest.mark.parametrize(("answer", "is_away"), [(answers, False), (is_too_slow, True)], ids=["slow", "away"])
def test_while_a_large_call_takes_long_a_small_one_finds_out_why(
    scripted: Scripted, ledger: BoundedLedger, monkeypatch: pytest.MonkeyPatch, answer: Answer, is_away: bool
) -> None:
    monkeypatch.setattr(api.ledger, "API_ANSWER_SECONDS", 0.01)

    async def scene() -> None:
        asked = asyncio.Event()

        async def is_asked() -> None:
            asked.set()
            await answer()

        scripted.large, scripted.probe = hangs, is_asked
        large = asyncio.create_task(ledger.run(LARGE))
        await asked.wait()
        await asyncio.sleep(0.01)
        await (refused(ledger) if is_away else ledger.run(READ))
        large.cancel()
        await asyncio.wait([large])

    play(scene, ledger)


def test_a_large_call_that_is_quick_asks_nothing_else(
    scripted: Scripted, ledger: BoundedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.ledger, "API_ANSWER_SECONDS", 0.01)

    async def scene() -> None:
        await ledger.run(LARGE)
        await asyncio.sleep(0.05)
        assert scripted.asked == [LARGE.script]

    play(scene, ledger)


def test_large_calls_wait_for_each_other_and_small_ones_for_none(scripted: Scripted, ledger: BoundedLedger) -> None:
    async def scene() -> None:
        at_work, most, begun, go_on = 0, 0, asyncio.Event(), asyncio.Event()

        async def work() -> None:
            nonlocal at_work, most
            at_work += 1
            most = max(most, at_work)
            begun.set()
            await go_on.wait()
            at_work -= 1

        scripted.large = work
        every = [asyncio.create_task(ledger.run(LARGE)) for _ in range(5)]
        await begun.wait()
        await ledger.run(READ)
        assert at_work == 1
        go_on.set()
        await asyncio.gather(*every)
        assert most == 1
        assert scripted.asked.count(LARGE.script) == 5

    play(scene, ledger)


def test_a_large_call_that_waits_too_long_for_others_is_refused_alone(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.ledger, "LARGE_WAIT_SECONDS", 0.05)
    ledger = BoundedLedger(scripted, [].append)  # type: ignore[arg-type]

    async def scene() -> None:
        scripted.large = hangs
        first = asyncio.create_task(ledger.run(LARGE))
        await asyncio.sleep(0)
        await refused(ledger, LARGE)
        await ledger.run(READ)
        assert not first.done()
        assert scripted.asked == [LARGE.script, READ.script]
        first.cancel()
        await asyncio.wait([first])

    play(scene, ledger)
