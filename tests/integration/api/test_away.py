"""While Redis is away, requests are refused at once; when it is back, they are served, and nobody has to do a thing."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from api.breaker import CannotReach
from shared.ledger import calls
from shared.ledger.connect import connect_async
from tests.integration.api.process import Api
from tests.integration.api.requests import HELLO, problem, submit
from tests.redis_server import RedisServer
from tests.waiting import eventually

WENT, BACK, REFUSED = "did not answer", "answers again", "refused"
FIRST_SECONDS = 1.0
NEXT_SECONDS = 0.25  # measured: a few milliseconds; the rest is for a busy machine
CLIENTS = 200


class Log:
    """What the API has logged since this was made."""

    def __init__(self, api: Api) -> None:
        self._lines, self._start = api.log, len(api.log)

    def count(self, words: str) -> int:
        return sum(words in line for line in self._lines[self._start :])


@pytest.fixture
def log(api: Api) -> Log:
    return Log(api)


@pytest.fixture
def full(server: RedisServer) -> Iterator[None]:
    """The server has no memory left to write with."""
    server.client.config_set("maxmemory", 1)
    yield
    server.client.config_set("maxmemory", 0)


def test_a_frozen_server_is_away_until_it_thaws(http: httpx2.Client, server: RedisServer, log: Log) -> None:
    task = submit(http)
    with server.frozen():
        refused_within(FIRST_SECONDS, lambda: http.get("/readyz"))
        refused_from_then_on(http, task)
    eventually(lambda: log.count(BACK) == 1)  # though nobody asked
    assert http.get("/readyz").status_code == 200
    assert http.get(task["links"]["self"]).json()["status"] == "queued"
    assert submit(http)["queue"]["position"] == 2
    assert log.count(WENT) == 1


def test_a_frozen_server_is_away_too_if_no_connection_was_open(
    http: httpx2.Client, server: RedisServer, log: Log
) -> None:
    assert http.get("/readyz").status_code == 200
    server.client.client_kill_filter(_type="normal")  # as it does itself with idle ones, if it is set to
    with server.frozen():
        refused_within(FIRST_SECONDS, lambda: http.get("/readyz"))
        refused_within(NEXT_SECONDS, lambda: http.get("/readyz"))
    eventually(lambda: log.count(BACK) == 1)
    assert log.count(WENT) == 1


def test_a_killed_server_is_away_until_it_is_started_again(http: httpx2.Client, server: RedisServer, log: Log) -> None:
    task = submit(http)
    server.kill()
    refused_within(FIRST_SECONDS, lambda: http.get("/readyz"))
    refused_from_then_on(http, task)
    server.start()
    eventually(lambda: log.count(BACK) == 1)
    assert http.get("/readyz").status_code == 200
    assert submit(http)["queue"]["position"] == 2  # the first is still there
    assert log.count(WENT) == 1


def test_a_server_that_goes_twice_comes_back_twice(http: httpx2.Client, server: RedisServer, log: Log) -> None:
    for times in (1, 2):
        with server.frozen():
            refused_within(FIRST_SECONDS, lambda: http.get("/readyz"))
        eventually(lambda: log.count(BACK) == times)  # noqa: B023 (looked at before the loop goes on)
        assert http.get("/readyz").status_code == 200


def test_a_connection_that_is_cut_is_nobodys_503(http: httpx2.Client, server: RedisServer, log: Log) -> None:
    path = submit(http)["links"]["self"]
    give_up = time.monotonic() + 2

    def statuses(_: int) -> set[int]:
        found = set()
        with httpx2.Client(base_url=http.base_url, timeout=10, trust_env=False) as mine:
            while time.monotonic() < give_up:
                found.add(mine.get(path).status_code)
        return found

    with ThreadPoolExecutor(8) as threads:
        clients = threads.map(statuses, range(8))
        cut = 0
        while time.monotonic() < give_up:
            cut += server.client.client_kill_filter(_type="normal")
            time.sleep(0.1)
        assert set().union(*clients) == {200}
    assert cut > 10
    assert log.count(WENT) == 0


def test_a_full_server_refuses_what_it_must_write_and_nothing_else(
    http: httpx2.Client, server: RedisServer, log: Log, request: pytest.FixtureRequest
) -> None:
    task = submit(http)
    request.getfixturevalue("full")
    for _ in range(3):
        assert "cannot do this now" in refused_within(NEXT_SECONDS, lambda: http.post("/task/echo", json=HELLO))
        assert http.get(task["links"]["self"]).json()["status"] == "queued"
        assert http.get("/readyz").status_code == 200
    server.client.config_set("maxmemory", 0)
    assert submit(http)["queue"]["position"] == 2
    assert (log.count(WENT), log.count(REFUSED)) == (0, 3)


def test_no_answer_is_ever_anothers(http: httpx2.Client, server: RedisServer, log: Log) -> None:
    """The freezes end around the moment at which reads give up, when late replies are on their way."""
    paths = [submit(http)["links"]["self"] for _ in range(CLIENTS)]
    clients = Clients(str(http.base_url), paths)
    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(asyncio.run, clients.ask_for(5.0))
        for seconds in (0.3, 0.45, 0.5, 0.52, 0.6):
            with server.frozen():
                time.sleep(seconds)
            time.sleep(0.3)
        asking.result()
    assert clients.strangers == []
    assert {200, 503} >= set(clients.statuses)
    assert clients.slowest < 5  # two hundred clients share a thread with each other, and cores with the API
    eventually(lambda: log.count(BACK) == log.count(WENT))
    asyncio.run(Clients(str(http.base_url), paths).ask_for(0))  # every connection is fit for use again


@pytest.mark.parametrize("limit", [0.1, 5.0], ids=["canceled", "timed out"])
def test_a_connection_that_is_owed_a_reply_is_never_used_again(server: RedisServer, limit: float) -> None:
    async def scene() -> None:
        ledger = connect_async(server.url, name="test")
        await ledger.run(calls.census(["echo"]))
        with server.frozen():
            with pytest.raises(CannotReach):
                async with asyncio.timeout(limit):
                    await ledger.run(calls.census(["echo"]))
            free = ledger.client.connection_pool._available_connections
            await asyncio.to_thread(eventually, lambda: len(free) == 1)  # who gives up leaves it to the others
            assert not free[0].is_connected
        assert await ledger.run(calls.census([])) == {}
        await ledger.close()

    asyncio.run(scene())


def test_two_hundred_clients_are_served_again_at_once(http: httpx2.Client, server: RedisServer, log: Log) -> None:
    paths = [submit(http)["links"]["self"] for _ in range(CLIENTS)]
    during, after = Clients(str(http.base_url), paths), Clients(str(http.base_url), paths)
    with server.frozen():
        asyncio.run(during.ask_for(3.0))
    eventually(lambda: log.count(BACK) == 1)
    asyncio.run(after.ask_for(0))
    assert set(during.statuses) == {503}
    assert after.statuses == [200] * CLIENTS
    assert after.strangers == []
    assert log.count(WENT) == 1


def test_a_signal_while_the_server_is_frozen_ends_it_with_success(server: RedisServer, models: str) -> None:
    api = Api(PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models)
    with server.frozen(), ThreadPoolExecutor(1) as thread:
        refused_within(FIRST_SECONDS, lambda: api.http.get("/readyz"))  # from here on the probe looks
        before = time.monotonic()
        assert thread.submit(api.close).result() == 0
        assert time.monotonic() - before < 3
    assert "Traceback" not in "".join(api.log)


def test_a_signal_while_a_request_waits_ends_it_with_success(server: RedisServer, models: str) -> None:
    api = Api(PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models)
    with server.frozen(), httpx2.Client(base_url=api.http.base_url, timeout=10, trust_env=False) as other:
        with ThreadPoolExecutor(1) as thread:
            asked = thread.submit(other.get, "/readyz")
            time.sleep(0.2)  # it is under way, and gives up in 0.3 s
            before = time.monotonic()
            assert api.close() == 0
            assert time.monotonic() - before < 3
        problem(asked.result(), 503, "ledger-unavailable")
    assert "Traceback" not in "".join(api.log)


class Clients:
    """One client for each path, all at once in one thread."""

    def __init__(self, url: str, paths: list[str]) -> None:
        self._url, self._paths = url, paths
        self.statuses: list[int] = []
        self.strangers: list[Any] = []
        self.slowest = 0.0

    async def ask_for(self, seconds: float) -> None:
        """Ask again and again for `seconds`, once at least."""
        give_up = time.monotonic() + seconds
        limits = httpx2.Limits(max_connections=len(self._paths))
        async with httpx2.AsyncClient(base_url=self._url, timeout=10, trust_env=False, limits=limits) as http:
            await asyncio.gather(*(self._ask(http, path, give_up) for path in self._paths))

    async def _ask(self, http: httpx2.AsyncClient, path: str, give_up: float) -> None:
        while True:
            before = time.monotonic()
            answer = await http.get(path)
            self.slowest = max(self.slowest, time.monotonic() - before)
            self.statuses.append(answer.status_code)
            if answer.status_code == 200 and answer.json()["links"]["self"] != path:
                self.strangers.append((path, answer.json()))
            if time.monotonic() > give_up:
                return


def refused_from_then_on(http: httpx2.Client, task: Any) -> None:
    requests: list[Callable[[], httpx2.Response]] = [
        lambda: http.post("/task/echo", json=HELLO),
        lambda: http.get(task["links"]["self"]),
        lambda: http.post(task["links"]["cancel"]),
        lambda: http.get("/models"),
        lambda: http.get("/readyz"),
    ]
    for ask in requests * 4:
        refused_within(NEXT_SECONDS, ask)
    assert http.get("/livez").status_code == 200


def refused_within(seconds: float, ask: Callable[[], httpx2.Response]) -> str:
    """Ask, which must be answered with a 503 and when to come again within `seconds`; return what it says."""
    before = time.monotonic()
    answer = ask()
    assert time.monotonic() - before < seconds
    assert answer.headers["retry-after"] == "1"
    return problem(answer, 503, "ledger-unavailable").detail
