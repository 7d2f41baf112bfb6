"""Who waits for whom in the budget of large calls."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from api.budget import Budget

WHOLE = 10
LONG = 60.0


class Large:
    """A large call: begun as soon as the budget has it, and over when it is told so."""

    def __init__(self, budget: Budget, bytes: int) -> None:
        self.is_on = False
        self._over = asyncio.Event()
        self.task = asyncio.create_task(self._go(budget, bytes))

    async def _go(self, budget: Budget, bytes: int) -> None:
        async with budget.spent(bytes):
            self.is_on = True
            await self._over.wait()
        self.is_on = False

    async def end(self) -> None:
        self._over.set()
        await self.task
        await turn()


async def turn() -> None:
    """Let everybody do what they can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def begin(budget: Budget, *sizes: int) -> list[Large]:
    every = [Large(budget, bytes) for bytes in sizes]
    await turn()
    return every


def on(every: list[Large]) -> list[bool]:
    return [each.is_on for each in every]


def play(scene: Callable[[Budget], Coroutine[Any, Any, None]], longest_wait_seconds: float = LONG) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await scene(Budget(WHOLE, longest_wait_seconds))

    asyncio.run(bounded())


def test_as_many_go_as_the_budget_has_and_the_others_in_their_turn() -> None:
    async def scene(budget: Budget) -> None:
        every = await begin(budget, 6, 4, 4, 6)
        assert on(every) == [True, True, False, False]
        await every[1].end()
        assert on(every) == [True, False, True, False]
        await every[0].end()
        assert on(every) == [False, False, True, True]
        await asyncio.gather(every[2].end(), every[3].end())

    play(scene)


def test_nobody_is_overtaken_by_one_who_asks_for_less() -> None:
    async def scene(budget: Budget) -> None:
        every = await begin(budget, 6, 5, 1)
        assert on(every) == [True, False, False]
        await every[0].end()
        assert on(every) == [False, True, True]
        await asyncio.gather(every[1].end(), every[2].end())

    play(scene)


def test_one_that_is_larger_than_the_budget_goes_alone() -> None:
    async def scene(budget: Budget) -> None:
        every = await begin(budget, 1, WHOLE * 3, 1)
        assert on(every) == [True, False, False]
        await every[0].end()
        assert on(every) == [False, True, False]
        await every[1].end()
        assert on(every) == [False, False, True]
        await every[2].end()

    play(scene)


def test_who_waits_too_long_is_told_and_is_in_nobodys_way() -> None:
    async def scene(budget: Budget) -> None:
        first, second = await begin(budget, 6, 9)
        with pytest.raises(TimeoutError):
            await second.task
        (third,) = await begin(budget, 4)
        assert on([first, second, third]) == [True, False, True]
        await asyncio.gather(first.end(), third.end())
        (whole,) = await begin(budget, WHOLE)  # nothing is missing
        assert whole.is_on
        await whole.end()

    play(scene, longest_wait_seconds=0.01)


def test_who_gives_up_lets_those_behind_pass() -> None:
    async def scene(budget: Budget) -> None:
        first, second, third = await begin(budget, 6, 9, 4)
        second.task.cancel()
        await turn()
        assert on([first, second, third]) == [True, False, True]
        await asyncio.gather(first.end(), third.end())

    play(scene)


def test_who_gives_up_just_as_their_turn_comes_takes_nothing_with_them() -> None:
    async def scene(budget: Budget) -> None:
        async with budget.spent(WHOLE):
            second, third = await begin(budget, WHOLE, WHOLE)
        second.task.cancel()  # it has its turn by now, and does not know of it yet
        await turn()
        assert on([second, third]) == [False, True]
        await third.end()

    play(scene)
