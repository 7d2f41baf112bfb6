"""The command's two voices: stdout for what was asked for, stderr for what there is to say about it."""

import os
import sys
from typing import TextIO


def say(text: str) -> None:
    """Print to stdout."""
    _print(text, sys.stdout)


def complain(text: str) -> None:
    """Print to stderr, every line after the name of the command."""
    _print("\n".join(f"penstock: {line}" for line in text.splitlines()), sys.stderr)


def _print(text: str, stream: TextIO) -> None:
    """Print at once. Nobody reading any more (`penstock up | head`) is no reason to stop what runs."""
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)  # so that the flush at exit does not fail again
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
