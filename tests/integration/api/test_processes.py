"""Several processes on one address: what clients see of it, which is nothing, and what happens when one dies."""

import http.client
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import psutil
import pytest

from shared.ledger.connection import Ledger
from tests.integration.api.process import START_SECONDS, Api, run_api
from tests.integration.api.requests import HELLO, submit, succeed
from tests.redis_server import RedisServer
from tests.waiting import eventually

JSON = {"Content-Type": "application/json"}
Answer = tuple[int, Any, dict[str, str]]


@pytest.fixture
def pair(server: RedisServer, models: str) -> Iterator[Api]:
    server.client.flushall()
    api = Api(PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models, PENSTOCK_API_PROCESSES="2")
    with one_to_each(api):
        pass
    yield api
    if api.process.poll() is None:
        assert api.close() == 0


def test_both_serve(pair: Api) -> None:
    with one_to_each(pair) as (first, second):
        assert first("GET", "/livez")[0] == second("GET", "/livez")[0] == 200


def test_one_that_is_killed_is_replaced_while_requests_go_on(pair: Api) -> None:
    path, found, stop = submit(pair.http)["links"]["self"], [], threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                found.append(httpx2.get(f"{pair.http.base_url}{path}", timeout=10, trust_env=False).status_code)
            except httpx2.HTTPError as error:
                found.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    before = {each.pid for each in family(pair)}
    eventually(lambda: len(found) > 20)
    family(pair)[0].kill()
    eventually(lambda: len({each.pid for each in family(pair)} - before) == 1)
    with one_to_each(pair):
        stop.set()
    thread.join()
    assert len([each for each in found if each != 200]) <= 1  # whom the dead one was just answering
    assert any("exited with signal 9; starting it again" in line for line in pair.log)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_them_all_with_success(pair: Api, number: int) -> None:
    processes = family(pair)
    assert pair.close(number) == 0
    assert not any(each.is_running() for each in processes)
    assert "Traceback" not in "".join(pair.log)


def test_who_waits_is_answered_before_the_end(pair: Api) -> None:
    path, found = submit(pair.http)["links"]["self"], []
    with one_to_each(pair) as connections:
        threads = [
            threading.Thread(target=lambda ask=ask: found.append(ask("GET", f"{path}?wait=20")[0]))
            for ask in connections
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.3)  # they have been heard
        pair.process.terminate()
        for thread in threads:
            thread.join()
    assert found == [200, 200]
    assert pair.process.wait(START_SECONDS) == 0
    pair.close()


def test_none_outlives_the_one_that_started_them(pair: Api) -> None:
    processes = family(pair)
    pair.process.kill()
    eventually(lambda: not any(each.is_running() for each in processes))
    pair.close()


def test_what_one_accepted_the_other_knows(pair: Api, ledger: Ledger) -> None:
    with one_to_each(pair) as (first, second):
        headers = {**JSON, "Idempotency-Key": "one"}
        status, task, _ = first("POST", "/task/echo", HELLO, headers)
        assert status == 202
        _, again, told = second("POST", "/task/echo", HELLO, headers)
        assert (again["task_id"], told["idempotency-replayed"]) == (task["task_id"], "true")

        waiting: list[Any] = []
        thread = threading.Thread(target=lambda: waiting.append(second("GET", f"{task['links']['self']}?wait=20")))
        thread.start()
        succeed(ledger, task["task_id"], b'{"text":"hello"}')
        thread.join()
        assert waiting[0][1]["status"] == "succeeded"


def test_they_count_an_owners_requests_together(server: RedisServer, models: str) -> None:
    server.client.flushall()
    api = Api(
        PENSTOCK_REDIS_URL=server.url,
        PENSTOCK_MODELS=models,
        PENSTOCK_API_PROCESSES="2",
        PENSTOCK_RATE_LIMIT="4/hour",
    )
    with one_to_each(api) as processes:
        statuses = [ask("GET", "/models")[0] for _ in range(3) for ask in processes]
    assert statuses == [200] * 4 + [429] * 2
    assert api.close() == 0


def test_a_port_in_use_is_one_line(server: RedisServer, models: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = run_api("--port", port, "--processes", "2", PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models)
        _, errors = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 1
    assert errors.splitlines() == [f"penstock api: PENSTOCK_API_PORT: {port} is in use on 127.0.0.1"]


def test_no_process_at_all_is_a_wrong_setting(server: RedisServer, models: str) -> None:
    process = run_api("--processes", "0", PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models)
    _, errors = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 2
    assert "PENSTOCK_API_PROCESSES" in errors


class Connection:
    """A connection that is kept, to one of the processes."""

    def __init__(self, api: Api) -> None:
        assert api.http.base_url.port is not None
        self._http = http.client.HTTPConnection(api.http.base_url.host, api.http.base_url.port, timeout=10)
        self._http.connect()
        self.port = self._http.sock.getsockname()[1]

    def __call__(self, method: str, path: str, body: Any = None, headers: Any = JSON) -> Answer:
        self._http.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self._http.getresponse()
        document = json.loads(answer.read())
        return answer.status, document, {name.lower(): value for name, value in answer.getheaders()}

    def close(self) -> None:
        self._http.close()


def family(api: Api) -> list[psutil.Process]:
    return psutil.Process(api.process.pid).children(recursive=True)


@contextmanager
def one_to_each(api: Api, count: int = 2) -> Iterator[list[Connection]]:
    """A connection to each process; which of them takes one is the system's choice, so it is tried until all have."""
    opened: list[Connection] = []

    def look() -> list[Connection]:
        opened.append(Connection(api))
        assert opened[-1]("GET", "/livez")[0] == 200
        taken = {port: pid for each in family(api) for port, pid in clients(each)}
        found = {taken[each.port]: each for each in opened if each.port in taken}
        return list(found.values()) if len(found) == count else []

    try:
        yield eventually(look)
    finally:
        for each in opened:
            each.close()


def clients(process: psutil.Process) -> list[tuple[int, int]]:
    """The ports of who is connected to a process, and its id."""
    try:
        return [(each.raddr[1], process.pid) for each in process.net_connections("tcp") if each.raddr]
    except psutil.Error:
        return []
