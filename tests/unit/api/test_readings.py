"""Reading for everyone who waits, of a ledger that answers in the test's words. The real one: tests/contract."""

import asyncio
from typing import Any, cast

import pytest

from api.ledger import BoundedLedger
from api.problems import Problem, ledger_unavailable
from api.readings import AT_ONCE, Readings
from shared.ledger.call import Call
from shared.ledger.outlooks import Outlooks
from shared.task import Missing

GONE, UNKNOWN = b"gone", None


class Scripted:
    """A ledger that knows which tasks are gone, and returns at most `most` at a time."""

    def __init__(self, *gone: str, most: int = AT_ONCE) -> None:
        self.gone = gone
        self.most = most
        self.asked: list[list[str]] = []
        self.at_work = 0
        self.error: Exception | None = None

    async def run(self, call: Call[Any]) -> Any:
        ids = list(map(str, call.arguments[2::2]))
        self.asked.append(ids)
        self.at_work += 1
        assert self.at_work == 1
        await asyncio.sleep(0.001)
        self.at_work -= 1
        if self.error is not None:
            raise self.error
        return call.parse([GONE if id in self.gone else UNKNOWN for id in ids[: self.most]])


def readings(ledger: Scripted) -> Readings:
    return Readings(cast("BoundedLedger", ledger), 1000, Outlooks())


async def read(of: Readings, ids: list[str]) -> list[Any]:
    return await asyncio.gather(*(of.get(id, "") for id in ids), return_exceptions=True)


def test_what_is_asked_for_together_is_read_together_and_everyone_gets_their_own() -> None:
    ledger = Scripted("a", "c")

    found = asyncio.run(ask(ledger, ["a", "b", "c"]))

    assert found == [Missing.GONE, Missing.UNKNOWN, Missing.GONE]
    assert ledger.asked == [["a", "b", "c"]]


@pytest.mark.parametrize("most", [1, 7, AT_ONCE])
def test_however_many_ask_there_is_one_call_at_a_time_and_nobody_is_left_out(most: int) -> None:
    ids = [str(n) for n in range(3 * AT_ONCE + 1)]
    ledger = Scripted(*ids[::2], most=most)

    found = asyncio.run(ask(ledger, ids))

    assert found == [Missing.UNKNOWN if n % 2 else Missing.GONE for n in range(len(ids))]
    assert max(map(len, ledger.asked)) == AT_ONCE
    assert len(ledger.asked) == -(-len(ids) // most)


def test_who_asks_while_a_call_is_under_way_is_read_by_the_next() -> None:
    """What changed after a call was sent may not be in its answer."""
    ledger = Scripted()

    async def ask_twice() -> None:
        of = readings(ledger)
        first = of.get("a", "")
        await asyncio.sleep(0)
        assert ledger.asked == [["a"]]
        await of.get("a", "")
        assert first.done()

    asyncio.run(ask_twice())
    assert ledger.asked == [["a"], ["a"]]


@pytest.mark.parametrize("error", [ledger_unavailable(), ValueError("a defect")])
def test_a_failure_is_told_to_everyone_who_asked_and_the_next_may_succeed(error: Exception) -> None:
    ledger = Scripted()

    async def fail_then_succeed() -> None:
        of = readings(ledger)
        ledger.error = error
        assert await read(of, ["a", "b"]) == [error, error]
        ledger.error = None
        assert await read(of, ["a"]) == [Missing.UNKNOWN]

    asyncio.run(fail_then_succeed())


def test_who_no_longer_wants_to_know_is_in_nobodys_way() -> None:
    async def cancel_one(error: Problem | None) -> list[Any]:
        ledger = Scripted()
        ledger.error = error
        of = readings(ledger)
        of.get("a", "").cancel()
        return await read(of, ["b"])

    assert asyncio.run(cancel_one(None)) == [Missing.UNKNOWN]
    assert len(asyncio.run(cancel_one(ledger_unavailable()))) == 1


async def ask(ledger: Scripted, ids: list[str]) -> list[Any]:
    return await read(readings(ledger), ids)
