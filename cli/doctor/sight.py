"""What the doctor sees: of the server that holds the ledger, of the ledger, and of the API. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.ledger.checkup import Checkup


@dataclass(frozen=True, slots=True)
class ServerSight:
    """What the server says of itself. None is what it may not be asked."""

    info: Mapping[str, Any] | None
    config: Mapping[str, str] | None
    ahead_ms: float  # how far its clock is ahead of this machine's
    within_ms: float  # how far off that may be: half of the time that asking took


@dataclass(frozen=True, slots=True)
class SentinelSight:
    """What one sentinel says."""

    place: str
    primary: str = ""  # host:port of the server that it names; empty if it names none
    is_without_quorum: bool = False  # it would not find enough others to replace that server
    trouble: str = ""  # in words


@dataclass(frozen=True, slots=True)
class LedgerSight:
    """The server, and the ledger on it."""

    server: ServerSight | None = None  # None: it does not answer, or refuses us
    checkup: Checkup | None = None
    trouble: str = ""  # why something of it is missing
    sentinels: tuple[SentinelSight, ...] = ()  # that PENSTOCK_REDIS_URL names


@dataclass(frozen=True, slots=True)
class ApiSight:
    """What the API at `url` answers to GET /models."""

    url: str
    is_named: bool  # somebody said that it is there; else it is where one would be by default
    status: int | None = None  # None: nothing answers
    shapes: Mapping[str, str] | None = None  # of each model that it serves (shared/shape.py)
    said: str = ""  # why it did not, in words
