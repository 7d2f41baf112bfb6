"""The ledger's own steps straight to its server: many calls in one write, and what they cost the server's CPU."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from shared.ledger.call import Call
from shared.ledger.connection import digest
from shared.ledger.scripts import script

if TYPE_CHECKING:
    import redis

T = TypeVar("T")
AT_ONCE = 50


def load(client: "redis.Redis", calls: Iterable[Call[T]]) -> None:
    """Have the server know the scripts of these calls: one in the middle of many cannot be sent again with its text."""
    for name in {call.script for call in calls}:
        client.script_load(script(name))


def run_all(client: "redis.Redis", calls: Sequence[Call[T]], at_once: int = AT_ONCE) -> list[T]:
    """Run calls whose scripts are loaded, so many in one write; return what each of them says."""
    said: list[T] = []
    for start in range(0, len(calls), at_once):
        some = calls[start : start + at_once]
        with client.pipeline(transaction=False) as pipe:
            for call in some:
                pipe.evalsha(digest(call.script), 0, *call.arguments)
            said += [call.parse(reply) for call, reply in zip(some, pipe.execute(), strict=True)]
    return said


def cpu_seconds(client: "redis.Redis") -> float:
    """Return the seconds of CPU that the server has used, in all its threads."""
    info = client.info("cpu")
    return float(info["used_cpu_user"] + info["used_cpu_sys"])


def microseconds(client: "redis.Redis", count: int, step: Callable[[], T]) -> tuple[float, T]:
    """Return the microseconds of the server's CPU that each of `count` parts of a step took, and what it returned."""
    before = cpu_seconds(client)
    found = step()
    return (cpu_seconds(client) - before) / count * 1e6, found


def version(client: "redis.Redis") -> str:
    """Return the server's name and version."""
    info = client.info("server")
    return f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"
