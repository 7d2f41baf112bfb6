"""A long computation: nothing but SHA-256 until the time is up."""

import hashlib
import time
from collections.abc import Callable

from .schema import Input, Output

REPORT_SECONDS = 0.25


class Model:
    """Computes for as long as it is told."""

    def predict(self, input: Input, progress: Callable[[float, str], None]) -> Output:
        """Burn one core for `input.wait_time` seconds, calling `progress` every quarter of a second."""
        started = time.monotonic()
        while (elapsed := time.monotonic() - started) < input.wait_time:
            progress(elapsed / input.wait_time, f"{elapsed:.1f} of {input.wait_time} s")
            burn(min(REPORT_SECONDS, input.wait_time - elapsed))
        return Output(message=f"task done after {input.wait_time}", waited_seconds=elapsed)


def burn(seconds: float) -> bytes:
    """Hash for `seconds`; return the last digest."""
    until = time.monotonic() + seconds
    digest = b""
    while time.monotonic() < until:
        digest = hashlib.sha256(digest).digest()
    return digest
