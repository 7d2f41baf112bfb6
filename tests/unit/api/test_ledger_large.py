"""Calls with a large payload: they have more time, wait for each other, and are in no small one's way."""

import asyncio

import pytest

import api.ledger
from api.ledger import BoundedLedger
from tests.unit.api.scripted import (
    LARGE,
    PROBE,
    READ,
    Answer,
    Scripted,
    answers,
    fails,
    hangs,
    is_too_slow,
    play,
    refused,
    soon,
)


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
