"""How much memory of Redis a task takes at every stage of its life. `python -m bench.memory` (3 minutes).

10,000 tasks go through the ledger's own calls on a real server; a row is the growth of `used_memory` over the empty
server, divided by the tasks. Their messages are taken off Celery's queue where a worker would have taken them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4

from shared.ledger import calls
from shared.ledger.connect import connect
from shared.ledger.connection import Ledger
from shared.ledger.records import Submission
from shared.queue import list_key
from shared.task import Task
from tests.contract.steps import EVERYTHING, claim
from tests.redis_server import KINDS, RedisServer
from tests.waiting import eventually

TASKS = 10_000
MODEL = "wait"
KEPT_MS = 3_600_000
KILOBYTE = b'{"text":"' + b"x" * (1024 - 11) + b'"}'
EMPTY = b"{}"
DAY_MS = 86_400_000
LEFT_WITHIN = 30.0
BATCH = 1000
SERVERS = {"valkey": "Valkey", "redis": "Redis"}
Rows = dict[str, float]


@dataclass(slots=True)
class Meter:
    """One server, and what it needs while it is empty."""

    server: RedisServer
    ledger: Ledger
    empty: int = 0
    ids: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Begin with an empty server."""
        self.server.client.flushall()
        self.ids = []
        self.empty = self.used()

    def used(self) -> int:
        """Return `used_memory` once it holds still: hash tables grow, and expired keys leave, in the background."""
        readings = [self._reading()]

        def is_still() -> bool:
            readings.append(self._reading())
            return len(readings) > 5 and max(readings[-5:]) - min(readings[-5:]) < TASKS // 10

        eventually(is_still, within=60, every=0.1)
        return readings[-1]

    def _reading(self) -> int:
        return int(self.server.client.info("memory")["used_memory"])

    def per_task(self) -> float:
        return (self.used() - self.empty) / TASKS

    def submit(self, input: bytes, **options: object) -> float:
        """Submit all tasks; return bytes per queued task."""
        self.ids = [str(uuid4()) for _ in range(TASKS)]
        for id in self.ids:
            submission = Submission(id, MODEL, input, **options)  # type: ignore[arg-type]  # fields by name
            assert isinstance(self.ledger.run(calls.submit(submission, EVERYTHING, KEPT_MS)), Task)
        return self.per_task()

    def take_messages(self) -> None:
        """Take all messages off the queue, as Celery does before a task is claimed."""
        self.server.client.delete(list_key(MODEL))

    def finish(self, result: bytes, retention_ms: int) -> None:
        """Claim every task and publish its result."""
        for id in self.ids:
            assert self.ledger.run(calls.succeed(claim(self.ledger, id), result, retention_ms))

    def until_left(self, prefix: str, within: float) -> None:
        """Wait until the retention of the last key of all tasks has ended, and see every key off."""
        eventually(lambda: not self._is_there(prefix, self.ids[-1]), within=within)
        for start in range(0, TASKS, BATCH):  # a key that is asked for leaves at once if its time has come
            names = [f"{prefix}{id}" for id in self.ids[start : start + BATCH]]
            assert not self.server.client.exists(*names)

    def reap(self) -> None:
        """Do what a worker does once a second, until what has ended is out of the indexes."""
        while self.server.client.zcount("penstock:ending", "-inf", time.time() * 1000):
            self.ledger.run(calls.reap(3, KEPT_MS, 60_000, 60_000))

    def _is_there(self, prefix: str, id: str) -> bool:
        return bool(self.server.client.exists(f"{prefix}{id}"))


def queued(meter: Meter, name: str, input: bytes, **options: object) -> Rows:
    meter.start()
    return {f"queued, {name}": meter.submit(input, **options)}


def a_life(meter: Meter) -> Rows:
    """Follow tasks with an input of 1 KB from the queue to the end of their retention, which is far away."""
    meter.start()
    rows = {"queued, 1 KB input": meter.submit(KILOBYTE)}
    meter.take_messages()
    rows["of which its message in Celery's queue"] = rows["queued, 1 KB input"] - meter.per_task()
    for id in meter.ids:
        claim(meter.ledger, id)
    rows["running, 1 KB input"] = meter.per_task()
    return rows


def finished(meter: Meter, name: str, content: bytes, **options: object) -> Rows:
    """Measure tasks that succeeded; `content` was their input, which has left, and is their result."""
    meter.start()
    meter.submit(content, **options)
    meter.take_messages()
    meter.finish(content, KEPT_MS)
    return {f"finished, {name}": meter.per_task()}


def afterlife(meter: Meter, name: str, **options: object) -> Rows:
    """Let the retention of finished tasks end, and then what is remembered of them."""
    meter.start()
    started = time.monotonic()
    meter.submit(KILOBYTE, **options)
    # Longer than it takes to finish them all (two calls each): so all have left before the first is forgotten.
    retention_seconds = 5 * (time.monotonic() - started)
    meter.take_messages()
    meter.finish(KILOBYTE, int(retention_seconds * 1000))
    meter.until_left("penstock:task:", within=retention_seconds + LEFT_WITHIN)
    meter.reap()
    rows = {f"after retention (410), {name}": meter.per_task()}
    assert meter.server.client.exists(f"penstock:gone:{meter.ids[0]}"), "measured too late: the first is forgotten"
    meter.until_left("penstock:gone:", within=retention_seconds + LEFT_WITHIN)
    rows[f"after everything has left, {name}"] = meter.per_task()
    return rows


OWNER = {"owner": "3f2a9c41d07be685"}
EXPIRES = {"expires_in_ms": DAY_MS}
MEASUREMENTS: tuple[Callable[[Meter], Rows], ...] = (
    partial(queued, name="empty input", input=EMPTY),
    partial(queued, name="empty input, an owner", input=EMPTY, **OWNER),
    partial(queued, name="empty input, expires_in", input=EMPTY, **EXPIRES),
    partial(queued, name="empty input, an owner and expires_in", input=EMPTY, **OWNER, **EXPIRES),
    a_life,
    partial(finished, name="empty input and result", content=EMPTY),
    partial(finished, name="1 KB input and result", content=KILOBYTE),
    partial(finished, name="1 KB input and result, an owner", content=KILOBYTE, **OWNER),
    partial(afterlife, name="no owner"),
    partial(afterlife, name="an owner", **OWNER),
)


def measured(kind: str) -> tuple[str, Rows]:
    """Return the server's version and bytes per task by stage."""
    # No rewriting of the append-only file in the middle: it borrows memory.
    server = RedisServer(kind, "--auto-aof-rewrite-percentage", "0")
    ledger = connect(server.url, name="bench")
    try:
        meter = Meter(server, ledger)
        warm_up(meter)
        rows: Rows = {}
        for measure in MEASUREMENTS:
            rows |= measure(meter)
        info = server.client.info("server")
        return f"{SERVERS[kind]} {info.get('valkey_version') or info['redis_version']}", rows
    finally:
        ledger.close()
        server.close()


def warm_up(meter: Meter) -> None:
    """Have the server know every script, and its buffers as large as they get."""
    meter.start()
    meter.submit(KILOBYTE)
    meter.finish(KILOBYTE, KEPT_MS)


def main() -> None:
    results = [measured(kind) for kind in KINDS]
    print(f"bytes per task, by used_memory over {TASKS:,} tasks\n")
    print(f"| | {' | '.join(version for version, _ in results)} |\n|---|{'---|' * len(results)}")
    for name in results[0][1]:
        print(f"| {name} | {' | '.join(f'{rows[name]:,.0f}' for _, rows in results)} |")


if __name__ == "__main__":
    main()
