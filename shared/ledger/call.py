"""One step of the ledger as a value. Pure: `shared.ledger.connection` runs it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.ledger.payload import Argument

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One atomic step: run `script` with `arguments`, and hand what Redis answers to `parse`."""

    script: str
    arguments: tuple[Argument, ...]
    parse: Callable[[Any], T]
    bytes: int = 0  # of the inputs or results that it takes there or brings back
    is_command: bool = False  # `script` is a command of Redis's own
