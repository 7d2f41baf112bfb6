"""Payloads: calls that carry a large input or result, and what is different for them. Pure.

They take longer without anything being wrong, hold up whoever shares a connection with them, and are worth some care
not to be copied.
"""

from collections.abc import Iterable, Sequence

import hiredis

LARGE_BYTES = 256 * 1024  # below it, a script takes less than a millisecond for them
BYTES_PER_SECOND = 20_000_000  # a tenth of what a server does that has other things to do as well

Argument = str | bytes | int | float


def is_large(bytes: int) -> bool:
    """Tell whether a payload is large."""
    return bytes >= LARGE_BYTES


def patience(seconds: float, bytes: int) -> float:
    """Return how long a call may take that would have `seconds` without a payload."""
    return seconds + bytes / BYTES_PER_SECOND


def pack(command: Sequence[Argument]) -> tuple[bytes, ...]:
    """Return what is sent for `command`, in parts: a large argument is one by itself, and is not copied."""
    parts: list[bytes] = []
    small = [b"*%d\r\n" % len(command)]
    for argument in command:
        text = argument if isinstance(argument, bytes) else _encoded(argument)
        small.append(b"$%d\r\n" % len(text))
        if is_large(len(text)):
            parts += (b"".join(small), text)
            small = [b"\r\n"]
        else:
            small += (text, b"\r\n")
    return (*parts, b"".join(small))


def packed(command: Sequence[Argument], bytes: int) -> tuple[bytes, ...]:
    """Return what is sent for `command`, whose payload has so many bytes."""
    return pack(command) if is_large(bytes) else (hiredis.pack_command(command),)  # type: ignore[arg-type]  # its own say tuple[X] where tuple[X, ...] is meant


def total(payloads: Iterable[object]) -> int:
    """Return how many bytes `payloads` have; what is none counts for nothing."""
    return sum(len(each) for each in payloads if isinstance(each, bytes))


def _encoded(argument: str | float) -> bytes:
    return (argument if isinstance(argument, str) else repr(argument)).encode()
