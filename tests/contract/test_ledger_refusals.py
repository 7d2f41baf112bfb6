"""A server that answers, and will not do as it is asked: what works on, what waits, and how that is told."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis
from redis.exceptions import OutOfMemoryError, ReadOnlyError

from shared.ledger import calls
from shared.ledger.connection import (
    AsyncLedger,
    Ledger,
    LedgerRefusalError,
    LedgerUnavailable,
    connect,
    connect_async,
)
from shared.task import ErrorCode, Progress, Status, TaskError
from tests.contract.steps import KEPT_MS, LEASE_MS, claim, read, reap, submit, try_to_claim
from tests.redis_server import KINDS, RedisServer
from tests.waiting import eventually


@pytest.fixture(scope="module", params=KINDS)
def stubborn(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server of its own, since these tests turn its settings."""
    server = RedisServer(request.param, "--busy-reply-threshold", "50")
    yield server
    server.close()


@pytest.fixture
def stubborn_ledger(stubborn: RedisServer) -> Iterator[Ledger]:
    stubborn.client.flushall()
    ledger = connect(stubborn.url, name="test")
    yield ledger
    ledger.close()


@pytest.fixture
def no_memory(stubborn: RedisServer) -> Iterator[Callable[[], object]]:
    """Call it to have the server out of memory from then on."""
    yield lambda: stubborn.client.config_set("maxmemory", 1)
    stubborn.client.config_set("maxmemory", 0)


def test_without_memory_nothing_new_comes_in_and_what_runs_can_end(
    stubborn_ledger: Ledger, no_memory: Callable[[], object]
) -> None:
    waiting, lost, *ids = (submit(stubborn_ledger) for _ in range(6))
    held = [claim(stubborn_ledger, id) for id in ids]
    claim(stubborn_ledger, lost, lease_ms=1)

    no_memory()

    with pytest.raises(OutOfMemoryError):
        submit(stubborn_ledger)
    with pytest.raises(OutOfMemoryError):
        try_to_claim(stubborn_ledger, waiting)
    assert read(stubborn_ledger, waiting).status is Status.QUEUED
    assert stubborn_ledger.run(calls.renew([(c.id, c.token) for c in held], LEASE_MS)) == frozenset()
    assert stubborn_ledger.run(calls.progress(held[0], Progress(0.5, None)))
    assert stubborn_ledger.run(calls.succeed(held[0], b"1", KEPT_MS))
    assert stubborn_ledger.run(calls.fail(held[1].id, 1, TaskError(ErrorCode.TIMEOUT, "late"), KEPT_MS))
    assert stubborn_ledger.run(calls.release(held[2].id, 1))
    stubborn_ledger.run(calls.cancel(held[3].id, KEPT_MS))
    stubborn_ledger.run(calls.announce("worker", {"wait": 1}, LEASE_MS))
    assert reap(stubborn_ledger)[lost] == "queued"
    statuses = [read(stubborn_ledger, id).status.value for id in ids]
    assert statuses == ["succeeded", "failed", "queued", "canceled"]


def test_a_replica_never_says_that_there_is_no_such_task(stubborn: RedisServer, stubborn_ledger: Ledger) -> None:
    """It may not have heard of it yet."""
    known = submit(stubborn_ledger)
    stubborn.client.config_set("replica-serve-stale-data", "yes")
    stubborn.client.replicaof("127.0.0.1", 1)
    try:
        with pytest.raises(ReadOnlyError):
            stubborn_ledger.run(calls.read("00000000-0000-4000-8000-000000000000", KEPT_MS))
        with pytest.raises(ReadOnlyError):
            submit(stubborn_ledger)
        assert read(stubborn_ledger, known).status is Status.QUEUED
    finally:
        stubborn.client.replicaof("NO", "ONE")

    submit(stubborn_ledger)


def test_after_a_replicas_refusal_the_address_is_looked_up_anew(stubborn: RedisServer, stubborn_ledger: Ledger) -> None:
    submit(stubborn_ledger)

    def connection() -> object:
        return next(row["id"] for row in stubborn.client.client_list() if row["name"] == "test")

    before = connection()
    stubborn.client.replicaof("127.0.0.1", 1)
    try:
        with pytest.raises(ReadOnlyError):
            submit(stubborn_ledger)
    finally:
        stubborn.client.replicaof("NO", "ONE")

    submit(stubborn_ledger)
    assert connection() != before


def test_the_api_too_looks_the_address_up_anew(stubborn: RedisServer, stubborn_ledger: Ledger) -> None:
    def connections() -> set[str]:
        return {row["id"] for row in stubborn.client.client_list() if row["name"] == "test-async"}

    async def ask(ledger: AsyncLedger) -> tuple[set[str], set[str]]:
        await asyncio.gather(*(ledger.run(calls.census([])) for _ in range(5)))
        before = connections()
        stubborn.client.replicaof("127.0.0.1", 1)
        try:
            with pytest.raises(ReadOnlyError):
                await ledger.run(calls.cancel("00000000-0000-4000-8000-000000000000", KEPT_MS))
        finally:
            stubborn.client.replicaof("NO", "ONE")
        await asyncio.gather(*(ledger.run(calls.census([])) for _ in range(5)))
        after = connections()
        await ledger.close()
        return before, after

    before, after = asyncio.run(ask(connect_async(stubborn.url, name="test-async")))
    assert len(before) == len(after) == 5
    assert not before & after


def test_too_few_replicas_is_unavailable_not_a_defect(stubborn: RedisServer, stubborn_ledger: Ledger) -> None:
    stubborn.client.config_set("min-replicas-to-write", 1)
    try:
        with pytest.raises(LedgerRefusalError, match="NOREPLICAS"):
            submit(stubborn_ledger)
    finally:
        stubborn.client.config_set("min-replicas-to-write", 0)


def test_someone_elses_endless_script_is_unavailable_not_a_defect(
    stubborn: RedisServer, stubborn_ledger: Ledger
) -> None:
    def spin() -> None:
        with redis.Redis(unix_socket_path=str(stubborn.socket)) as client, pytest.raises(redis.RedisError):
            client.eval("while true do end", 0)

    submit(stubborn_ledger)
    thread = threading.Thread(target=spin)
    thread.start()
    time.sleep(0.2)  # past busy-reply-threshold: until then the server says nothing at all
    try:
        with pytest.raises(LedgerUnavailable) as caught:
            submit(stubborn_ledger)
        assert isinstance(caught.value, LedgerRefusalError)
    finally:
        stubborn.client.script_kill()
        thread.join()

    submit(stubborn_ledger)


def test_a_disk_that_is_full_is_unavailable_not_a_defect(stubborn: RedisServer, stubborn_ledger: Ledger) -> None:
    id = submit(stubborn_ledger)
    stubborn.client.config_set("save", "3600 1")  # stop-writes-on-bgsave-error counts only if saving is wanted
    (stubborn.directory / "dump.rdb").mkdir()
    try:
        stubborn.client.bgsave()
        eventually(lambda: stubborn.client.info("persistence")["rdb_last_bgsave_status"] == "err")

        with pytest.raises(LedgerRefusalError, match="MISCONF"):
            submit(stubborn_ledger)
        assert read(stubborn_ledger, id).status is Status.QUEUED
    finally:
        stubborn.client.config_set("save", "")

    submit(stubborn_ledger)
