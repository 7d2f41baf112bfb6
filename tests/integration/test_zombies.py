"""A worker that was away for longer than its lease: it may change nothing, and must notice and make room."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.faults.proxy import Proxy
from tests.integration.burning import is_dead, started
from tests.integration.client import Client
from tests.integration.conftest import LEASE_SECONDS, free_port
from tests.integration.nodes import ROOT, WorkerProcess
from tests.redis_server import RedisServer
from tests.waiting import eventually

AddWorker = Callable[..., WorkerProcess]
Away = Callable[[WorkerProcess], AbstractContextManager[None]]
TAKEN_BACK_WITHIN = LEASE_SECONDS + 5


@pytest.fixture
def tcp_port() -> int:
    return free_port()


@pytest.fixture
def broker_server(tcp_port: int) -> Iterator[RedisServer]:
    server = RedisServer("", "--port", str(tcp_port))
    yield server
    server.close()


@pytest.fixture
def environment(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    folders = ",".join(str(ROOT / folder) for folder in ("tests/models/burn", "tests/models/echo"))
    return {**environment, "PENSTOCK_MODELS": folders, "LOAD_LOG": str(tmp_path / "loads")}


class Network:
    """The one worker's way to Redis, which can be cut."""

    def __init__(self, target: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._proxy = Proxy(target)
        asyncio.run_coroutine_threadsafe(self._proxy.start(), self._loop).result(5)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._proxy.port}/0"

    @contextmanager
    def cut(self) -> Iterator[None]:
        self._loop.call_soon_threadsafe(self._proxy.cut)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._proxy.heal)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        await self._proxy.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


@pytest.fixture
def network(broker_server: RedisServer, tcp_port: int) -> Iterator[Network]:
    network = Network(tcp_port)
    yield network
    network.close()


@contextmanager
def frozen(worker: WorkerProcess) -> Iterator[None]:
    worker.signal_tree(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.signal_tree(signal.SIGCONT)


@pytest.mark.parametrize("how", ["frozen", "cut off"])
def test_a_worker_that_was_away_for_too_long_kills_its_own_stale_child(
    add_worker: AddWorker, client: Client, network: Network, how: str
) -> None:
    """Its task would burn on for minutes in C code: nothing but its own worker ends it."""
    away = add_worker("--concurrency", "1", PENSTOCK_REDIS_URL=network.url)
    away.ready()
    task_id, stale = started(client, "pow")

    with frozen(away) if how == "frozen" else network.cut():
        other = add_worker("--concurrency", "1")
        eventually(lambda: client.get(task_id)["attempt"] == 2, within=TAKEN_BACK_WITHIN + 5)
        assert not is_dead(stale)
    eventually(lambda: is_dead(stale), within=3)

    document = client.get(task_id)
    assert (document["status"], document["attempt"]) == ("running", 2)
    assert [line["why"] for line in away.events() if line["event"] == "killed the child"] == ["its claim is lost"]
    served_by_the_one_that_is_free = client.submit("echo", text="here")["task_id"]
    assert client.finished(served_by_the_one_that_is_free)["attempt"] == 1
    assert len(away.children()) == len(other.children()) == 1
    assert client.cancel(task_id).json()["attempt"] == 2


def test_a_result_that_comes_too_late_is_refused(
    add_worker: AddWorker, client: Client, network: Network, broker_server: RedisServer
) -> None:
    """Cut off, the old attempt runs to its end, and publishes as soon as it can."""
    away = add_worker("--concurrency", "1", PENSTOCK_REDIS_URL=network.url)
    away.ready()
    task_id, _ = started(client, "sleep", seconds=1)

    with network.cut():
        eventually(lambda: "waiting for the ledger" in away.logs())  # it has ended, and wants to publish
        other = add_worker("--concurrency", "1")
        done = client.finished(task_id, within=TAKEN_BACK_WITHIN + 10)
    assert (done["status"], done["attempt"]) == ("succeeded", 2)

    eventually(lambda: '"accepted":false' in away.logs() or "its claim is lost" in away.logs())
    assert client.get(task_id) == done
    eventually(lambda: len(away.children()) == len(other.children()) == 1)
