"""What the benchmark needs to know of a contender: how to start it, how to talk to it, and what it can be asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bench.dialect import Dialect

Measure = Literal["submit", "poll", "drain", "burn", "burn_wait", "alone", "alone_50", "alone_wait", "digits", "pss"]
QUEUE: tuple[Measure, ...] = ("submit", "poll", "drain", "burn", "alone", "alone_50", "digits")
WORKERS = 2
PARTS = ("api", "worker", "redis", "client")  # whose CPU time is told apart


@dataclass(frozen=True, slots=True)
class Site:
    """Where a contender runs: what its commands and environments are made from."""

    port: int
    socket: str  # of its Redis
    directory: str  # a new one, for whatever it writes


@dataclass(frozen=True, slots=True)
class Contender:
    """One row of the table. Commands are arguments to Python; {port}, {socket} and {directory} are filled in."""

    name: str
    title: str
    kind: Literal["penstock", "ceiling", "peer"]
    api: tuple[str, ...]
    worker: tuple[str, ...] = ()  # none: what serves also works
    environment: Mapping[str, str] = field(default_factory=dict)
    packages: str = ""  # the folder here with its requirements.lock; none: Penstock's own environment
    dialect: Dialect = field(default_factory=Dialect)
    measures: tuple[Measure, ...] = QUEUE
    drain_share: float = 1.0  # of the tasks that others drain, for one that would take minutes
    digits_share: float = 1.0  # of the rows that others are given, for one that would be done at once
    note: str = ""
    serves: bool = True  # over HTTP; else `api` takes commands as the client does


def uvicorn(app: str, *options: str) -> tuple[str, ...]:
    """Return the arguments that serve an ASGI app as well as uvicorn can."""
    fast = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning", "--lifespan", "on")
    return ("-m", "uvicorn", app, "--host", "127.0.0.1", "--port", "{port}", *fast, *options)
