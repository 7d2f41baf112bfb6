import os
import signal
import sys
import time
from collections.abc import Callable

from .schema import Input, Output


def _raise() -> None:
    raise KeyError("a secret path: /etc/shadow")


def _tell() -> None:
    raise ValueError("the page\nhas no text")


def _spin() -> None:
    pow(3, 10**9)  # one C call that holds the GIL for minutes: no Python signal handler runs


def _unplug() -> None:
    os.closerange(3, 256)  # what its parent watches, among others
    time.sleep(2)


class Model:
    def __init__(self) -> None:
        self.faults: dict[str, Callable[[], object]] = {
            "raise": _raise,
            "tell": _tell,
            "exit": sys.exit,
            "die": lambda: os.kill(os.getpid(), signal.SIGKILL),
            "spin": _spin,
            "unplug": _unplug,
            "wrong_type": lambda: {"number": "many"},
            "no_result": lambda: None,
            "none": lambda: Output(number=1.0),
        }

    def predict(self, input: Input, progress: Callable[..., None]) -> object:
        if input.fault == "nan_progress":
            progress(float("nan"), "nowhere")
        return self.faults[input.fault]()
