"""JSON in and out of the command line: the input that a person gives, the document that a program reads."""

import json
import sys
from pathlib import Path
from typing import NoReturn

from cli.client import Document


class InputError(Exception):
    """What was given as JSON is none, or cannot be read."""


def read_input(argument: str) -> bytes:
    """Return the JSON that a command-line argument stands for: itself, `@file`, or `-` for stdin.

    It is sent as it was written, so that no number changes on the way; here it is only checked.

    Raises:
        InputError: the file cannot be read, or this is no JSON.
    """
    try:
        content = _content(argument)
        json.loads(content.decode("utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise InputError(f"{argument[1:]} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"this is no JSON: {error}") from error
    return content


def render(document: Document, *, terminal: bool) -> str:
    """Return a document as JSON: indented for a terminal, on one line and in ASCII for a pipe."""
    if not terminal:
        return json.dumps(document)
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")  # a lone surrogate stays the escape it came as


def _content(argument: str) -> bytes:
    if argument == "-":
        return sys.stdin.buffer.read()
    if argument.startswith("@"):
        return Path(argument[1:]).read_bytes()
    return argument.encode("utf-8")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")
