"""What a queued task weighs in its server, part by part, and what packing the messages in their list would save."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any
from uuid import uuid4

from bench.site import until_quiet, used_memory
from bench.steps import MODEL, submit
from bench.straight import load, microseconds, run_all, version
from bench.tables import Cell, Table
from shared.queue import list_key
from tests.redis_server import KINDS, RedisServer

SAMPLES = 200
BATCH = 5000
SOME = 20_000  # messages that are pushed again, in turn
PACKING = (0, 1)  # list-compress-depth: none, or all but the first and the last node
WHOLE = "a queued no-op, in all"
TARGET = 1000


@dataclass(slots=True)
class Weight:
    """One server, filled."""

    name: str
    packing: int
    parts: dict[str, float]  # bytes of each task
    costs: dict[str, float]  # microseconds of CPU of each


def weighed(kind: str, packing: int, tasks: int) -> Weight:
    """Fill a server that packs its lists so far; weigh it, then see what its messages cost to push and to pop."""
    with closing(RedisServer(kind)) as server:
        server.client.config_set("list-compress-depth", packing)
        fill(server, BATCH)  # its buffers grow as large as they get
        server.client.flushall()
        empty, ids = used_memory(server), [str(uuid4()) for _ in range(tasks)]
        costs = {"submit": fill(server, tasks, ids)}
        whole = (used_memory(server) - empty) / tasks
        parts = {WHOLE: whole, **dict(parts_of(server, ids))}
        until_quiet(server)
        return Weight(version(server.client), packing, parts, costs | dict(messages(server, tasks)))


def fill(server: RedisServer, tasks: int, ids: list[str] | None = None) -> float:
    """Submit tasks; return the microseconds of the server's CPU for each."""
    every = ids or [str(uuid4()) for _ in range(tasks)]
    load(server.client, [submit(every[0])])

    def submit_all() -> None:
        for start in range(0, tasks, BATCH):
            run_all(server.client, [submit(id) for id in every[start : start + BATCH]])

    return microseconds(server.client, tasks, submit_all)[0]


def parts_of(server: RedisServer, ids: list[str]) -> Iterator[tuple[str, float]]:
    """Yield every kind of key, and the bytes that each task has there: the name's share and the value."""
    some = ids[:: max(1, len(ids) // SAMPLES)]
    yield "record", sum(usage(server, f"penstock:task:{id}") for id in some) / len(some)
    for key in sorted(server.client.scan_iter(count=10_000)):
        if not key.startswith(b"penstock:task:") and (bytes_each := usage(server, key) / len(ids)) >= 1:
            yield label(key), bytes_each


def label(key: bytes) -> str:
    """Name a key that all tasks share."""
    return "message" if key == list_key(MODEL).encode() else key.decode().removeprefix("penstock:")


def usage(server: RedisServer, key: str | bytes) -> int:
    """Return the bytes that a key has, all of its members looked at."""
    return int(server.client.memory_usage(key, samples=0) or 0)


def messages(server: RedisServer, tasks: int) -> Iterator[tuple[str, float]]:
    """Yield what it costs to push messages to an end of a list as long as the queue, and to pop them off the other."""
    some = server.client.lrange(list_key(MODEL), 0, SOME - 1)
    pushed = list(islice(cycle(some), tasks))
    yield "push alone", cost(server, pushed, lambda pipe, each: pipe.lpush("again", each))
    yield "pop alone", cost(server, pushed, lambda pipe, _: pipe.rpop("again"))


def cost(server: RedisServer, members: list[Any], step: Callable[[Any, Any], object]) -> float:
    """Return the microseconds of the server's CPU that a step took for each member, many in one write."""

    def run() -> None:
        for start in range(0, len(members), 500):
            with server.client.pipeline(transaction=False) as pipe:
                for each in members[start : start + 500]:
                    step(pipe, each)
                pipe.execute()

    return microseconds(server.client, len(members), run)[0]


def tables(tasks: int) -> list[Table]:
    """Weigh both servers, with and without packing; return the tables of bytes and of CPU."""
    found = [weighed(kind, packing, tasks) for kind in KINDS for packing in PACKING]
    columns = ("", *(f"{each.name}, list-compress-depth {each.packing}" for each in found))
    memory = Table(f"bytes of each of {tasks:,} queued no-ops (wanted: less than {TARGET:,})", columns)
    for part in dict.fromkeys(name for each in found for name in each.parts):
        memory.add(part, *(each.parts.get(part) for each in found))
    memory.add("between the keys", *(between(each.parts) for each in found))
    cpu = Table("CPU us of the server for each message", columns)
    for name in found[0].costs:
        cpu.add(name, *(each.costs[name] for each in found))
    return [memory, cpu]


def between(parts: dict[str, float]) -> Cell:
    """Return what no key has for itself: the table of all keys, and what the allocator leaves free."""
    return parts[WHOLE] - sum(weight for name, weight in parts.items() if name != WHOLE)
