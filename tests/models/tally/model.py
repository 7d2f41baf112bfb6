import ctypes
import hashlib
import json
import os
import signal
import time
from collections.abc import Callable

from .schema import Input, Output


class Model:
    def predict(self, input: Input, progress: Callable[..., None]) -> Output:
        note(input.token)
        for step in range(input.reports):
            time.sleep(input.seconds / input.reports)
            progress((step + 1) / input.reports, f"step {step + 1}")
        if not input.reports:
            time.sleep(input.seconds)
        misbehave(input.behave)
        return answered(input)


def answered(input: Input) -> Output:
    return Output(token=input.token, answer=hashlib.sha256(input.token.encode()).hexdigest())


def note(*tokens: str) -> None:
    """Append a line for each token that is computed now, all in one write.

    That is atomic between processes, and kept when this one is killed right after.
    """
    common = {"pid": os.getpid(), "parent": os.getppid(), "at": time.monotonic(), "together": tokens}
    log = os.open(os.environ["EXECUTION_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(log, b"".join(json.dumps({"token": token, **common}).encode() + b"\n" for token in tokens))
    finally:
        os.close(log)


def misbehave(behave: str) -> None:
    if behave == "raise":
        raise KeyError(behave)
    if behave == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if behave == "spin":
        # One C call that keeps the GIL: no Python signal handler runs. It sleeps, to leave the cores to the others.
        ctypes.PyDLL(None).sleep(3600)
