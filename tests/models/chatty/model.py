import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable

from .schema import Input, Output

print("weights are read")


def _talk(_: Input) -> Output:
    print("printed", "in pieces")
    print("half a line", end="")
    sys.stderr.write("to stderr\n")
    logging.getLogger("chatty").warning("by logging")
    warnings.warn("by warnings", stacklevel=1)
    thread = threading.Thread(target=lambda: print("by a thread"))
    thread.start()
    thread.join()
    os.write(1, b"past Python\n")
    return Output(number=1)


def _raise(input: Input) -> Output:
    raise KeyError(input.text)


def _tell(input: Input) -> Output:
    raise ValueError(f"cannot read {input.text}")


def _nest(input: Input) -> Output:
    try:
        return _tell(input)
    except ValueError as error:
        raise RuntimeError(input.text) from error


HOW: dict[str, Callable[[Input], object]] = {
    "talk": _talk,
    "wait": lambda _: Output(number=2),
    "raise": _raise,
    "tell": _tell,
    "nest": _nest,
    "invalid": lambda input: {"number": input.text},
}


class Model:
    def __init__(self) -> None:
        print("ready to talk", file=sys.stderr)

    def predict(self, input: Input, progress: Callable[..., None]) -> object:
        progress(0.5, str(os.getpid()))
        time.sleep(input.seconds)
        return HOW[input.how](input)
