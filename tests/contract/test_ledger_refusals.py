"""A server that answers, and will not do as it is asked: what works on, what waits, and how that is told."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis
from redis.exceptions import OutOfMemoryError, ReadOnlyError

from shared.ledger import calls
from shared.ledger.connect import connect_async
from shared.ledger.connection import AsyncLedger, Ledger, LedgerRefusalError, LedgerUnavailable
from shared.ledger.pipelining import AT_ONCE, LINES
from shared.ledger.records import Asking, Ended
from shared.task import ErrorCode, Progress, Status, TaskError
from tests.contract.steps import KEPT_MS, LEASE_MS, claim, expire_lease, read, reap, release, submit, try_to_claim
from tests.redis_server import RedisServer
from tests.waiting import eventually


@pytest.fixture
def no_memory(server: RedisServer) -> Iterator[Callable[[], object]]:
    """Call it to have the server out of memory from then on."""
    yield lambda: server.client.config_set("maxmemory", 1)
    server.client.config_set("maxmemory", 0)


def test_without_memory_nothing_new_comes_in_and_what_runs_can_end(
    ledger: Ledger, no_memory: Callable[[], object]
) -> None:
    waiting, lost, *ids = (submit(ledger) for _ in range(6))
    held = [claim(ledger, id, nonce=f"n{n}") for n, id in enumerate(ids)]
    claim(ledger, lost)
    expire_lease(ledger, lost)

    no_memory()

    with pytest.raises(OutOfMemoryError):
        submit(ledger)
    with pytest.raises(OutOfMemoryError):
        try_to_claim(ledger, waiting)
    assert read(ledger, waiting).status is Status.QUEUED
    assert ledger.run(calls.renew([(c.id, c.token) for c in held], LEASE_MS)) == frozenset()
    assert ledger.run(calls.progress(held[0], Progress(0.5, None)))
    with pytest.raises(OutOfMemoryError):
        ledger.run(calls.proceed([Ended(held[0].id, 1, b"1")], Asking("worker", "next", LEASE_MS), KEPT_MS))
    assert ledger.run(calls.succeed(held[0], b"1", KEPT_MS))
    assert ledger.run(calls.fail(held[1].id, 1, TaskError(ErrorCode.TIMEOUT, "late"), KEPT_MS))
    assert release(ledger, "n2") == (ids[2],)
    ledger.run(calls.cancel(held[3].id, "", KEPT_MS))
    ledger.run(calls.announce("worker", {"wait": 1}, LEASE_MS))
    assert reap(ledger)[lost] == "queued"
    statuses = [read(ledger, id).status.value for id in ids]
    assert statuses == ["succeeded", "failed", "queued", "canceled"]


def test_a_replica_never_says_that_there_is_no_such_task(server: RedisServer, ledger: Ledger) -> None:
    """It may not have heard of it yet."""
    known = submit(ledger)
    server.client.config_set("replica-serve-stale-data", "yes")
    server.client.replicaof("127.0.0.1", 1)
    try:
        with pytest.raises(ReadOnlyError):
            ledger.run(calls.read("00000000-0000-4000-8000-000000000000", "", KEPT_MS))
        with pytest.raises(ReadOnlyError):
            submit(ledger)
        assert read(ledger, known).status is Status.QUEUED
    finally:
        server.client.replicaof("NO", "ONE")

    submit(ledger)


def test_after_a_replicas_refusal_the_address_is_looked_up_anew(server: RedisServer, ledger: Ledger) -> None:
    submit(ledger)

    def connection() -> object:
        return next(row["id"] for row in server.client.client_list() if row["name"] == "test")

    before = connection()
    server.client.replicaof("127.0.0.1", 1)
    try:
        with pytest.raises(ReadOnlyError):
            submit(ledger)
    finally:
        server.client.replicaof("NO", "ONE")

    submit(ledger)
    assert connection() != before


def test_the_api_too_looks_the_address_up_anew(server: RedisServer, ledger: Ledger) -> None:
    def connections() -> set[str]:
        return {row["id"] for row in server.client.client_list() if row["name"] == "test-async"}

    async def ask(ledger: AsyncLedger) -> tuple[set[str], set[str]]:
        await asyncio.gather(*(ledger.run(calls.census([])) for _ in range(LINES * AT_ONCE)))
        before = connections()
        server.client.replicaof("127.0.0.1", 1)
        try:
            with pytest.raises(ReadOnlyError):
                await ledger.run(calls.cancel("00000000-0000-4000-8000-000000000000", "", KEPT_MS))
        finally:
            server.client.replicaof("NO", "ONE")
        await asyncio.gather(*(ledger.run(calls.census([])) for _ in range(LINES * AT_ONCE)))
        after = connections()
        await ledger.close()
        return before, after

    before, after = asyncio.run(ask(connect_async(server.url, name="test-async")))
    assert len(before) == len(after) == LINES
    assert not before & after


def test_too_few_replicas_is_unavailable_not_a_defect(server: RedisServer, ledger: Ledger) -> None:
    server.client.config_set("min-replicas-to-write", 1)
    try:
        with pytest.raises(LedgerRefusalError, match="NOREPLICAS"):
            submit(ledger)
    finally:
        server.client.config_set("min-replicas-to-write", 0)


def test_someone_elses_endless_script_is_unavailable_not_a_defect(server: RedisServer, ledger: Ledger) -> None:
    def spin() -> None:
        with redis.Redis(unix_socket_path=str(server.socket)) as client, pytest.raises(redis.RedisError):
            client.eval("while true do end", 0)

    submit(ledger)
    thread = threading.Thread(target=spin)
    thread.start()
    time.sleep(0.2)  # past busy-reply-threshold: until then the server says nothing at all
    try:
        with pytest.raises(LedgerUnavailable) as caught:
            submit(ledger)
        assert isinstance(caught.value, LedgerRefusalError)
    finally:
        server.client.script_kill()
        thread.join()

    submit(ledger)


def test_a_disk_that_is_full_is_unavailable_not_a_defect(server: RedisServer, ledger: Ledger) -> None:
    id = submit(ledger)
    server.client.config_set("save", "3600 1")  # stop-writes-on-bgsave-error counts only if saving is wanted
    (server.directory / "dump.rdb").mkdir()
    try:
        server.client.bgsave()
        eventually(lambda: server.client.info("persistence")["rdb_last_bgsave_status"] == "err")

        with pytest.raises(LedgerRefusalError, match="MISCONF"):
            submit(ledger)
        assert read(ledger, id).status is Status.QUEUED
    finally:
        server.client.config_set("save", "")

    submit(ledger)
