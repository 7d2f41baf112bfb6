"""What to do about a process that ended by itself: start it again, and when, or give up. No I/O."""

from dataclasses import dataclass

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
STEADY_SECONDS = 30.0  # a process that lived this long was well: its next end is a first one
TRIES_BEFORE_READY = 5
EX_USAGE, EX_CONFIG = 2, 78  # "cannot start at all": trying again changes nothing, and its own message says why
HOPELESS = frozenset({EX_USAGE, EX_CONFIG})


@dataclass(frozen=True, slots=True)
class Record:
    """How a process did so far: ends in a row after a short life, and ends before everything was ready once."""

    short_lives: int = 0
    ends_before_ready: int = 0


@dataclass(frozen=True, slots=True)
class Again:
    """Start it again after `delay` seconds."""

    delay: float
    record: Record


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Stop everything and exit with `code`."""

    code: int
    reason: str


def after_end(record: Record, *, code: int, lived: float, ever_ready: bool) -> Again | GiveUp:
    """Decide what follows the end of a process that nobody asked to end.

    `code` is as in `subprocess` (negative: killed by that signal), `lived` how many seconds it ran, `ever_ready`
    whether everything was ready at some time, after which nothing but a hopeless exit code is a reason to give up.
    """
    if code in HOPELESS:
        return GiveUp(code, f"{describe_end(code)}: it cannot start")
    ends = record.ends_before_ready + (0 if ever_ready else 1)
    if not ever_ready and ends >= TRIES_BEFORE_READY:
        return GiveUp(1, f"{describe_end(code)}, {ends} times in a row before it was ready")
    short_lives = 1 if lived >= STEADY_SECONDS else record.short_lives + 1
    return Again(backoff(short_lives), Record(short_lives, ends))


def backoff(failures: int, *, longest: float = LONGEST_DELAY_SECONDS) -> float:
    """Return how many seconds to wait after this many failures in a row (1 or more)."""
    return float(min(longest, FIRST_DELAY_SECONDS * 2 ** min(failures - 1, 16)))


def describe_end(code: int) -> str:
    """Say how a process ended, like `exited with signal 9`."""
    return f"exited with code {code}" if code >= 0 else f"exited with signal {-code}"
