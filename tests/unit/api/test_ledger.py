"""What a request waits for, and for how long, while the ledger is away or refuses."""

import asyncio
import time

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError

import api.ledger
from api.ledger import PATIENCE_SECONDS, BoundedLedger
from api.probe import FIRST_SECONDS
from api.problems import Problem
from tests.unit.api.scripted import PROBE, READ, Scripted, answers, fails, hangs, play, refused, soon


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
        assert max(waits) < PATIENCE_SECONDS  # none of them after the others, nor until its own patience ends
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
