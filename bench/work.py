"""The work that every contender does: three functions, with the Input that every API validates.

Nothing of Penstock is imported here but a shipped model, since peers import this in environments of their own.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict

from models.digits.schema import EXAMPLE
from models.digits.schema import Input as Image

BURN_SECONDS = 0.02
VARIANTS = 16  # so many different inputs take turns, so that an answer given to the wrong task is seen


class Number(BaseModel):
    """What goes into the work that only shows what everything around it costs."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"value": 7}]})

    value: int


def noop(input: dict[str, Any]) -> dict[str, Any]:
    """Return what came in."""
    return {"value": input["value"]}


def burn(input: dict[str, Any]) -> dict[str, Any]:
    """Return what came in after 20 ms of this thread's CPU time: waiting for a core or a lock does not count."""
    end = time.thread_time() + BURN_SECONDS
    while time.thread_time() < end:
        pass
    return {"value": input["value"]}


def digits(input: dict[str, Any]) -> dict[str, Any]:
    """Recognise one image with the shipped model."""
    found: dict[str, Any] = forest().predict(Image.model_construct(**input)).model_dump(mode="json")
    return found


@cache
def forest() -> Any:
    """Return the shipped model, trained when first asked for. Imported late: an API has no use for it."""
    from models.digits.model import Model  # noqa: PLC0415

    return Model()


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of work: the function, what its API validates, and inputs to send."""

    run: Callable[[dict[str, Any]], dict[str, Any]]
    input: type[BaseModel]
    inputs: tuple[dict[str, Any], ...]


def _image(turn: int) -> dict[str, Any]:
    return {"pixels": EXAMPLE[turn * 4 :] + EXAMPLE[: turn * 4]}


NUMBERS = tuple({"value": 1000 + turn} for turn in range(VARIANTS))
WORKS = {
    "noop": Work(noop, Number, NUMBERS),
    "burn": Work(burn, Number, NUMBERS),
    "digits": Work(digits, Image, tuple(_image(turn) for turn in range(VARIANTS))),
}

# Told to workers alone: the model is loaded before the first task, and before a fork where there is one.
if os.environ.get("BENCH_LOAD"):
    forest()
