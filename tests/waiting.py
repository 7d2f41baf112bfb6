"""Waiting for what must come, instead of sleeping and hoping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def comes_to(look: Callable[[], T], expected: T, *, within: float = 10.0) -> None:
    """Fail unless `look` returns what is `expected` in the end, as a log does whose last line is a moment behind."""
    give_up = time.monotonic() + within
    while (found := look()) != expected and time.monotonic() < give_up:
        time.sleep(0.02)
    assert found == expected


def eventually(look: Callable[[], T], *, within: float = 10.0, every: float = 0.02) -> T:
    """Return what `look` returns as soon as it is true; fail if it never is."""
    give_up = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < give_up, f"not within {within} s; last seen: {found!r}"
        time.sleep(every)
