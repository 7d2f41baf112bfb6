import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .schema import Input, Output

SIDE = 6000  # of a square of small integers: multiplied without BLAS, in one thread, for minutes


class Model:
    """Loaded by the parent; a load adds a line to the file that LOAD_LOG names."""

    def __init__(self) -> None:
        self.square = np.ones((SIDE, SIDE), dtype=np.int8)
        self.burn: dict[str, Callable[[float], object]] = {
            "python": _count,
            "numpy": lambda _: self.square @ self.square,  # one C call that has let go of the GIL
            "pow": lambda _: pow(3, 10**9),  # one C call that holds the GIL: no Python signal handler runs
            "sleep": time.sleep,
            "none": lambda _: None,
        }
        with Path(os.environ["LOAD_LOG"]).open("a") as log:
            log.write(f"{os.getpid()}\n")

    def predict(self, input: Input, progress: Callable[..., None]) -> Output:
        if input.how != "none":
            progress(0.0, str(os.getpid()))  # tells from outside which child it is, and that it is about to burn
        self.burn[input.how](input.seconds)
        return Output(pid=os.getpid())


def _count(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
