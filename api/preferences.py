"""How long a client wants to wait for a task's end: `Prefer: wait=N` (RFC 7240) or `?wait=N`. Pure."""

import re
from collections.abc import Sequence

WAIT = re.compile(r'wait\s*=\s*"?(\d{1,9})"?\s*(?:;.*)?', re.IGNORECASE)


def preferred_wait(values: Sequence[str]) -> int | None:
    """Return the seconds that the values of Prefer ask to wait; None if they do not.

    A preference is advice: one that is not understood is passed over, and of two the first counts (RFC 7240, 2).
    """
    for part in (part.strip() for value in values for part in value.split(",")):
        if found := WAIT.fullmatch(part):
            return int(found[1])
    return None


def applied(seconds: float) -> str:
    """Return the Preference-Applied of a request that waits at most `seconds`."""
    return f"wait={seconds:g}"


def granted(asked: float, longest: float) -> float:
    """Return how long a request that asks to wait may."""
    return min(asked, longest)
