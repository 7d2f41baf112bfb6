"""Large inputs and results: whole on every way to the client, not sent when nobody needs them, in nobody else's way."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from shared.ledger.connection import Ledger
from shared.ledger.payload import LARGE_BYTES
from tests.contract.steps import claim
from tests.integration.api.process import Api
from tests.integration.api.requests import HELLO, problem, submit, succeed
from tests.integration.api.test_round_trips import commands
from tests.redis_server import RedisServer
from tests.waiting import eventually

SIZE = 8_000_000
RESULT = b'{"text":"%b"}' % (b"NaN" * (SIZE // 3))
LARGE = {"text": "x" * SIZE}
AWAY = "did not answer"


@pytest.fixture(scope="module")
def roomy(server: RedisServer, models: str) -> Iterator[Api]:
    """An API that takes large bodies."""
    api = Api(PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models, PENSTOCK_MAX_BODY_BYTES=str(2 * SIZE))
    yield api
    assert api.close() == 0
    assert "Traceback" not in "".join(api.log)


@pytest.fixture
def http(roomy: Api, server: RedisServer) -> httpx2.Client:
    server.client.flushall()
    return roomy.http


@pytest.fixture
def path(http: httpx2.Client, ledger: Ledger) -> str:
    """A task with a large result."""
    task = submit(http)
    succeed(ledger, task["task_id"], RESULT)
    return str(task["links"]["self"])


def sent(server: RedisServer) -> int:
    """How many bytes the server has sent to anyone."""
    return int(server.client.info("stats")["total_net_output_bytes"])


def assert_whole(answer: httpx2.Response, status: int = 200) -> None:
    assert answer.status_code == status
    assert b'"result":' + RESULT in answer.content
    assert answer.json()["status"] == "succeeded"


def test_a_large_input_arrives_as_it_was_sent(http: httpx2.Client, ledger: Ledger) -> None:
    body = b'{"text": "%b", "times": 1}' % (b"NaN/" * (SIZE // 4))
    task = http.post("/task/echo", content=body, headers={"Content-Type": "application/json"}).json()

    assert claim(ledger, task["task_id"]).input == body


def test_a_large_result_is_downloaded_as_it_was_stored(http: httpx2.Client, path: str) -> None:
    assert_whole(http.get(path))


def test_it_does_not_leave_the_server_for_a_client_that_has_it(
    http: httpx2.Client, server: RedisServer, path: str
) -> None:
    tag = http.get(path).headers["etag"]

    before = sent(server)
    answers = [http.get(path, headers={"If-None-Match": known}) for known in (tag, "*")]

    assert [answer.status_code for answer in answers] == [304, 304]
    assert answers[0].headers["etag"] == tag
    assert sent(server) - before < LARGE_BYTES
    assert_whole(http.get(path, headers={"If-None-Match": '"another"'}))


def test_it_takes_one_command_more_and_only_if_it_is_sent(http: httpx2.Client, server: RedisServer, path: str) -> None:
    http.get(path)

    assert commands(server, lambda: http.get(path, headers={"If-None-Match": "*"})) == ["EVALSHA"]
    assert commands(server, lambda: http.get(path)) == ["EVALSHA", "HGET"]


def test_who_waits_for_it_gets_it(http: httpx2.Client, ledger: Ledger) -> None:
    task = submit(http)
    with ThreadPoolExecutor(2) as threads:
        waiting = [
            threads.submit(httpx2.get, f"{http.base_url}{way}", trust_env=False, timeout=30)
            for way in (f"/task/{task['task_id']}?wait=20", f"/task/{task['task_id']}/events")
        ]
        succeed(ledger, task["task_id"], RESULT)
        document, events = (each.result() for each in waiting)

    assert_whole(document)
    assert b'"result":' + RESULT in events.content


@pytest.mark.parametrize("query", ["", "?wait=1"])
def test_a_submit_that_comes_again_gets_it(http: httpx2.Client, ledger: Ledger, query: str) -> None:
    def post() -> httpx2.Response:
        return http.post(f"/task/echo{query}", json=HELLO, headers={"Idempotency-Key": "again"})

    task = submit_with(post)
    succeed(ledger, task["task_id"], RESULT)

    again = post()
    assert again.headers["idempotency-replayed"] == "true"
    assert_whole(again, 200 if query else 202)


def submit_with(post: Any) -> Any:
    answer = post()
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_a_frozen_server_is_found_out_while_a_large_submit_waits_for_it(
    http: httpx2.Client, roomy: Api, server: RedisServer
) -> None:
    start = len(roomy.log)
    large = httpx2.Client(base_url=http.base_url, timeout=30, trust_env=False)
    with server.frozen(), large, ThreadPoolExecutor(1) as thread:
        asked = thread.submit(large.post, "/task/echo", json=LARGE)
        eventually(lambda: any(AWAY in line for line in roomy.log[start:]))
        problem(asked.result(), 503, "ledger-unavailable")
        problem(http.get(f"/task/{uuid4()}"), 503, "ledger-unavailable")
    eventually(lambda: http.get("/readyz").is_success)
    problem(http.get(f"/task/{uuid4()}"), 404, "unknown-task")


def test_many_large_submits_at_once_are_all_accepted_and_nobody_else_is_refused(
    http: httpx2.Client, roomy: Api
) -> None:
    start, over = len(roomy.log), threading.Event()
    small: set[int] = set()

    def ask() -> None:
        with httpx2.Client(base_url=http.base_url, timeout=30, trust_env=False) as other:
            while not over.is_set():
                small.add(other.post("/task/echo", json=HELLO).status_code)

    def send(_: int) -> int:
        return httpx2.post(f"{http.base_url}/task/echo", json=LARGE, timeout=30, trust_env=False).status_code

    with ThreadPoolExecutor(7) as threads:
        others = threads.submit(ask)
        statuses = list(threads.map(send, range(12)))
        over.set()
        others.result()

    assert set(statuses) == {202}
    assert small == {202}
    assert not any(AWAY in line for line in roomy.log[start:])
