"""Whether what has ended leaves the indexes as fast as it ends, where one worker reaps once a second as each does."""

import time
from contextlib import closing
from uuid import uuid4

from bench.steps import MODEL, claim, submit, succeed
from bench.straight import load, run_all, version
from bench.tables import Table
from shared.ledger import calls
from shared.ledger.connect import connect
from shared.ledger.connection import Ledger
from shared.queue import list_key
from tests.redis_server import RedisServer

RATE = 2500  # tasks a second, which a few workers reach
RETENTION_MS = 2000
REAP = calls.reap(3, RETENTION_MS, 60_000, 60_000)
COLUMNS = ("s", "ended", "in the indexes", "of them overdue", "one reap, ms")


def table(kind: str, seconds: int, after: int) -> Table:
    """End tasks faster than a reaper trims for some seconds; then look on while nothing ends."""
    with closing(RedisServer(kind)) as server, closing(connect(server.url, name="bench")) as ledger:
        title = f"records that ended, {RATE:,} a second for {seconds} s, kept for {RETENTION_MS / 1000:g} s"
        made = Table(f"{title}; {version(server.client)}", COLUMNS)
        began = time.monotonic()
        for second in range(seconds + after):
            if second < seconds:
                end_some(ledger, RATE)
            time.sleep(max(0.0, began + second + 1 - time.monotonic()))
            made.add(second + 1, RATE * min(second + 1, seconds), *reaped(ledger))
    return made


def end_some(ledger: Ledger, count: int) -> None:
    """Take tasks from submit to result."""
    ids = [str(uuid4()) for _ in range(count)]
    client = ledger.client
    load(client, [submit(ids[0])])
    run_all(client, [submit(id) for id in ids])
    load(client, [claim(ids[0])])
    held = run_all(client, [claim(id) for id in ids])
    load(client, [succeed(held[0])])
    published = run_all(client, [succeed(each, retention_ms=RETENTION_MS) for each in held])
    assert all(published)
    client.delete(list_key(MODEL))


def reaped(ledger: Ledger) -> tuple[int, int, float]:
    """Reap; return what is still in the indexes, how much of that is overdue, and how long it took."""
    began = time.perf_counter()
    ledger.run(REAP)
    took = time.perf_counter() - began
    seconds, micros = ledger.client.time()
    overdue = ledger.client.zcount("penstock:ending", "-inf", seconds * 1000 + micros // 1000)
    return ledger.client.zcard("penstock:ending"), overdue, took * 1000
