"""Waiting for a task's end, conditional requests, and what a cache may keep."""

import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.task import Progress
from tests.contract.steps import claim
from tests.integration.api.process import Api
from tests.integration.api.requests import HELLO, HOUR_MS, problem, submit, succeed
from tests.redis_server import RedisServer
from tests.waiting import eventually


def subscriptions(server: RedisServer) -> int:
    return int(server.client.info("clients")["pubsub_clients"])


@pytest.fixture
def waiting(http: httpx2.Client, server: RedisServer) -> Callable[..., Any]:
    """Ask in the background; return once the API listens for changes."""

    def begin(method: str, path: str, **more: Any) -> Any:
        future = pool.submit(http.request, method, path, timeout=40, **more)
        eventually(lambda: subscriptions(server) == 1)
        return future

    with ThreadPoolExecutor(8) as pool:
        yield begin


WAITS = [
    {"params": {"wait": 20}},
    {"headers": {"Prefer": "wait=20"}},
    {"headers": {"Prefer": "respond-async, wait=20"}},
]


@pytest.mark.parametrize("how", WAITS)
def test_a_read_waits_for_the_end(http: httpx2.Client, ledger: Ledger, waiting: Any, how: dict[str, Any]) -> None:
    id = submit(http)["task_id"]
    answer = waiting("GET", f"/task/{id}", **how)

    succeed(ledger, id, b'{"text":"hello"}')

    found = answer.result(5)
    assert (found.status_code, found.json()["status"]) == (200, "succeeded")
    assert found.headers["preference-applied"] == "wait=20"
    assert "Prefer" in found.headers["vary"]


@pytest.mark.parametrize("how", WAITS)
def test_a_submit_that_waits_answers_200_once_its_task_has_ended(
    server: RedisServer, ledger: Ledger, waiting: Any, how: dict[str, Any]
) -> None:
    answer = waiting("POST", "/task/echo", json=HELLO, **how)
    (key,) = eventually(lambda: server.client.keys("penstock:task:*"))
    id = key.decode().rpartition(":")[2]

    succeed(ledger, id, b'{"text":"hello"}')

    found = answer.result(5)
    assert (found.status_code, found.json()["result"]) == (200, {"text": "hello"})
    assert found.headers["location"] == f"/task/{id}"
    assert found.headers["preference-applied"] == "wait=20"


def test_who_has_waited_long_enough_gets_the_task_as_it_is(http: httpx2.Client) -> None:
    accepted = http.post("/task/echo", json=HELLO, params={"wait": 0.2})
    assert (accepted.status_code, accepted.json()["status"]) == (202, "queued")
    assert accepted.headers["preference-applied"] == "wait=0.2"

    read = http.get(accepted.headers["location"], headers={"Prefer": "wait=0"})
    assert (read.status_code, read.json()["status"]) == (200, "queued")
    assert read.headers["retry-after"]


def test_a_task_that_has_ended_is_not_waited_for(http: httpx2.Client, ledger: Ledger) -> None:
    id = submit(http)["task_id"]
    succeed(ledger, id, b"{}")

    assert http.get(f"/task/{id}", params={"wait": 30}, timeout=5).json()["status"] == "succeeded"


def test_nobody_waits_longer_than_is_allowed(http: httpx2.Client, ledger: Ledger) -> None:
    id = submit(http)["task_id"]
    succeed(ledger, id, b"{}")

    assert http.get(f"/task/{id}", params={"wait": 100_000}).headers["preference-applied"] == "wait=30"


@pytest.mark.parametrize("prefer", ["wait", "wait=soon", "wait=-1", "handling=strict", "", "wait=99999999999999"])
def test_a_preference_that_is_not_understood_is_passed_over(http: httpx2.Client, prefer: str) -> None:
    answer = http.post("/task/echo", json=HELLO, headers={"Prefer": prefer})

    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers


@pytest.mark.parametrize("wait", ["soon", "-1", "nan", "inf"])
def test_a_parameter_that_is_not_understood_is_422(http: httpx2.Client, wait: str) -> None:
    for answer in (
        http.post("/task/echo", json=HELLO, params={"wait": wait}),
        http.get(f"/task/{'0' * 32}", params={"wait": wait}),
    ):
        found = problem(answer, 422, "invalid-input")
        assert found.errors is not None
        assert found.errors[0].loc == ["query", "wait"]


def test_however_many_wait_there_is_one_subscription_and_then_none(
    http: httpx2.Client, ledger: Ledger, server: RedisServer, waiting: Any
) -> None:
    ids = [submit(http)["task_id"] for _ in range(3)]
    answers = [waiting("GET", f"/task/{id}", params={"wait": 20}) for id in [*ids, ids[0], ids[0]]]
    time.sleep(0.2)
    assert subscriptions(server) == 1

    for id in ids:
        succeed(ledger, id, b"{}")

    assert {answer.result(5).json()["status"] for answer in answers} == {"succeeded"}
    eventually(lambda: subscriptions(server) == 0, within=15)


@pytest.mark.parametrize("ending", ["canceled", "forgotten"])
def test_who_waits_hears_of_every_ending(http: httpx2.Client, waiting: Any, ending: str) -> None:
    id = submit(http)["task_id"]
    answer = waiting("GET", f"/task/{id}", params={"wait": 20})

    if ending == "canceled":
        http.post(f"/task/{id}/cancel")
        assert answer.result(5).json()["status"] == "canceled"
    else:
        http.delete(f"/task/{id}")
        problem(answer.result(5), 410, "task-gone")


def test_a_subscription_that_is_cut_is_made_again(
    http: httpx2.Client, ledger: Ledger, server: RedisServer, waiting: Any
) -> None:
    cut, later = submit(http)["task_id"], submit(http)["task_id"]
    answers = [waiting("GET", f"/task/{id}", params={"wait": 20}) for id in (cut, later)]

    server.client.client_kill_filter(_type="pubsub")
    succeed(ledger, cut, b"{}")
    assert answers[0].result(5).json()["status"] == "succeeded"

    eventually(lambda: subscriptions(server) == 1)
    succeed(ledger, later, b"{}")
    assert answers[1].result(5).json()["status"] == "succeeded"


def test_a_waiter_learns_that_redis_is_away(http: httpx2.Client, server: RedisServer, waiting: Any) -> None:
    id = submit(http)["task_id"]
    answer = waiting("GET", f"/task/{id}", params={"wait": 20})

    server.kill()
    try:
        problem(answer.result(5), 503, "ledger-unavailable")
    finally:
        server.start()
    eventually(lambda: http.get("/readyz").status_code == 200)


def test_a_client_that_goes_away_is_no_longer_waited_for(api: Api, http: httpx2.Client, server: RedisServer) -> None:
    id = submit(http)["task_id"]
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.get(f"{api.http.base_url}/task/{id}?wait=30".replace("//task", "/task"), timeout=1, trust_env=False)

    eventually(lambda: subscriptions(server) == 0, within=15)  # long before the 30 s


def test_a_stopping_api_lets_nobody_wait(server: RedisServer, models: str) -> None:
    api = Api(PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models)
    answers: list[httpx2.Response] = []
    waiter = threading.Thread(
        target=lambda: answers.append(api.http.post("/task/echo", json=HELLO, params={"wait": 30}, timeout=40))
    )
    waiter.start()
    eventually(lambda: subscriptions(server) == 1)
    began = time.monotonic()

    api.process.terminate()
    waiter.join(10)

    assert api.process.wait(10) == 0
    assert time.monotonic() - began < 5
    assert (answers[0].status_code, answers[0].json()["status"]) == (202, "queued")
    api.close()


def test_a_tag_changes_with_the_task_and_spares_the_rest(http: httpx2.Client, ledger: Ledger) -> None:
    id = submit(http)["task_id"]
    first = http.get(f"/task/{id}")
    assert first.headers["cache-control"] == "no-store"
    tag = first.headers["etag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = http.get(f"/task/{id}", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["retry-after"]
    assert http.get(f"/task/{id}", headers={"If-None-Match": '"other"'}).status_code == 200

    held = claim(ledger, id)
    running = http.get(f"/task/{id}", headers={"If-None-Match": tag})
    ledger.run(calls.progress(held, Progress(0.5, None)))
    further = http.get(f"/task/{id}", headers={"If-None-Match": running.headers["etag"]})
    ledger.run(calls.succeed(held, b"{}", HOUR_MS))
    done = http.get(f"/task/{id}", headers={"If-None-Match": further.headers["etag"]})

    assert [answer.status_code for answer in (running, further, done)] == [200, 200, 200]
    assert len({tag, *(answer.headers["etag"] for answer in (running, further, done))}) == 4


def test_a_final_document_may_be_kept_as_long_as_the_task(http: httpx2.Client, ledger: Ledger) -> None:
    id = submit(http)["task_id"]
    succeed(ledger, id, b"{}")

    answer = http.get(f"/task/{id}")

    found = re.fullmatch(r"private, max-age=(\d+), immutable", answer.headers["cache-control"])
    assert found is not None
    assert HOUR_MS / 1000 - 60 < int(found[1]) <= HOUR_MS / 1000
    assert answer.headers["vary"] == "Authorization, X-API-Key, Prefer"
