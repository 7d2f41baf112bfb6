"""Callbacks, told to a real receiver: signed, once for each end, whoever is killed on the way."""

import json
import signal
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook

from shared.keys import callback_secret, digest, new_key
from shared.ledger.connection import Ledger
from tests.integration.api.process import Api
from tests.integration.api.requests import HELLO, problem, succeed
from tests.integration.conftest import free_port
from tests.integration.receiver import Receiver
from tests.redis_server import RedisServer
from tests.waiting import eventually

MASTER = "a master secret of 32 characters"
ANN = new_key()


@pytest.fixture
def telling(server: RedisServer, models: str) -> Iterator[Callable[..., Api]]:
    """Start an API that may call these hosts."""
    server.client.flushall()
    apis: list[Api] = []

    def start(hosts: str, **variables: str) -> Api:
        apis.append(
            Api(
                PENSTOCK_REDIS_URL=server.url,
                PENSTOCK_MODELS=models,
                PENSTOCK_CALLBACK_HOSTS=hosts,
                PENSTOCK_CALLBACK_SECRET=MASTER,
                PENSTOCK_CALLBACK_RETRY_SECONDS="0.2",
                **variables,
            )
        )
        return apis[-1]

    yield start
    for api in apis:
        if api.process.poll() is None:
            assert api.close() == 0
        log = "".join(api.log)
        assert "Traceback" not in log
        assert "of-the-url" not in log
        assert MASTER not in log


def submit(http: httpx2.Client, url: str, **headers: str) -> str:
    answer = http.post("/task/echo", json=HELLO, params={"callback_url": url}, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def callback(http: httpx2.Client, id: str, **headers: str) -> Any:
    return http.get(f"/task/{id}", headers=headers).json()["callback"]


def test_the_end_is_told_once_signed_and_thin(telling: Any, receiver: Receiver, ledger: Ledger) -> None:
    api = telling(receiver.host)
    id = submit(api.http, receiver.url)
    assert callback(api.http, id) == {
        "url": receiver.url,
        "state": None,
        "attempts": 0,
        "next_attempt_at": None,
        "answer": None,
    }

    succeed(ledger, id, b'{"text":"not for the receiver"}')

    eventually(lambda: callback(api.http, id)["state"] == "delivered")
    ((headers, body),) = receiver.seen
    assert Webhook(callback_secret(MASTER, "")).verify(body, headers) == json.loads(body)
    assert json.loads(body)["data"] == {
        "task_id": id,
        "model": "echo",
        "status": "succeeded",
        "links": {"self": f"/task/{id}"},
    }
    assert headers["webhook-id"] == f"{id}-1"
    assert headers["content-type"] == "application/json"
    assert headers["host"] == receiver.host.removeprefix("http://")
    assert receiver.paths == ["/hook?secret=of-the-url"]
    told = callback(api.http, id)
    assert (told["attempts"], told["answer"], told["next_attempt_at"]) == (1, "200", None)


def test_a_document_is_kept_by_caches_only_when_its_callback_is_settled(
    telling: Any, receiver: Receiver, ledger: Ledger
) -> None:
    api = telling(receiver.host)
    receiver.hold.clear()
    id = submit(api.http, receiver.url)
    succeed(ledger, id, b"{}")
    eventually(lambda: receiver.seen)
    assert api.http.get(f"/task/{id}").headers["cache-control"] == "private, no-cache"

    receiver.hold.set()

    eventually(lambda: "immutable" in api.http.get(f"/task/{id}").headers["cache-control"])


def test_a_receiver_that_fails_then_dies_then_comes_back_accepts_one_id(
    telling: Any, ledger: Ledger, server: RedisServer, models: str
) -> None:
    """And an API, which has the courier, is killed in between."""
    port = free_port()
    receiver = Receiver(port, (500, 429, 503))
    api = telling(receiver.host)
    id = submit(api.http, receiver.url)
    url = receiver.url
    succeed(ledger, id, b"{}")
    eventually(lambda: callback(api.http, id)["attempts"] >= 3)
    receiver.close()
    refused = callback(api.http, id)["attempts"]
    eventually(lambda: callback(api.http, id)["attempts"] > refused, within=30)
    api.close(signal.SIGKILL)
    assert ledger.client.zcard("penstock:outbox") == 1

    second = Receiver(port)
    try:
        other = telling(second.host)
        ledger.client.zadd("penstock:outbox", {f"{id}:1": 1}, xx=True)  # rather than wait for the next try's turn
        eventually(lambda: callback(other.http, id)["state"] == "delivered", within=30)
        assert [headers["webhook-id"] for headers in second.accepted] == [f"{id}-1"]
        assert receiver.accepted == []
        assert {headers["webhook-id"] for headers, _ in receiver.seen} == {f"{id}-1"}
        for headers, body in receiver.seen + second.seen:
            assert Webhook(callback_secret(MASTER, "")).verify(body, headers)
        assert callback(other.http, id)["url"] == url
    finally:
        second.close()


def test_a_receiver_that_takes_its_time_is_waited_for_and_asked_once(
    telling: Any, receiver: Receiver, ledger: Ledger
) -> None:
    """The hold on a delivery is renewed: nobody else takes it while it is under way."""
    receiver.hold.clear()
    api = telling(receiver.host)
    telling(receiver.host)
    id = submit(api.http, receiver.url)
    succeed(ledger, id, b"{}")
    eventually(lambda: receiver.seen)
    held_until = callback(api.http, id)["next_attempt_at"]

    eventually(lambda: callback(api.http, id)["next_attempt_at"] > held_until)
    receiver.hold.set()

    eventually(lambda: callback(api.http, id)["state"] == "delivered")
    assert callback(api.http, id)["attempts"] == len(receiver.seen) == 1


def test_each_end_of_a_retried_task_is_told_once(telling: Any, receiver: Receiver, ledger: Ledger) -> None:
    api = telling(receiver.host)
    id = submit(api.http, receiver.url)
    assert api.http.post(f"/task/{id}/cancel").status_code == 200
    eventually(lambda: callback(api.http, id)["state"] == "delivered")

    assert api.http.post(f"/task/{id}/retry").status_code == 202
    succeed(ledger, id, b"{}")

    eventually(lambda: len(receiver.accepted) >= 2)
    eventually(lambda: ledger.client.zcard("penstock:outbox") == 0)
    told = [(headers["webhook-id"], json.loads(body)["type"]) for headers, body in receiver.seen]
    assert told == [(f"{id}-1", "task.canceled"), (f"{id}-2", "task.succeeded")]
    assert (callback(api.http, id)["state"], callback(api.http, id)["attempts"]) == ("delivered", 1)


def test_a_redirect_is_not_followed(telling: Any, ledger: Ledger) -> None:
    receiver = Receiver(0, (307,) * 100)
    try:
        api = telling(receiver.host + ",http://127.0.0.1:1")
        id = submit(api.http, receiver.url)
        succeed(ledger, id, b"{}")
        eventually(lambda: callback(api.http, id)["answer"] == "307")
        assert callback(api.http, id)["state"] == "pending"
    finally:
        receiver.close()


def test_a_host_that_is_inside_by_its_address_is_not_called(telling: Any, receiver: Receiver, ledger: Ledger) -> None:
    """`localhost` passes as a name below a pattern, and fails once it is resolved."""
    port = receiver.server_address[1]
    api = telling(f"http://*:{port}")
    id = submit(api.http, f"http://localhost:{port}/hook")

    succeed(ledger, id, b"{}")

    eventually(lambda: callback(api.http, id)["state"] == "failed")
    assert callback(api.http, id)["answer"] == "forbidden"
    assert receiver.seen == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "https://example.com/", "nonsense", "http://u:p@127.0.0.1:9/"])
def test_a_url_that_is_not_allowed_is_refused_with_its_submit(telling: Any, url: str) -> None:
    api = telling("http://127.0.0.1:9")
    found = problem(api.http.post("/task/echo", json=HELLO, params={"callback_url": url}), 422, "invalid-input")
    assert found.errors is not None
    assert found.errors[0].loc == ["query", "callback_url"]
    assert url not in found.model_dump_json()


def test_nobody_is_called_unless_the_operator_allows_it(http: httpx2.Client) -> None:
    found = problem(
        http.post("/task/echo", json=HELLO, params={"callback_url": "https://example.com/"}), 422, "invalid-input"
    )
    assert found.errors is not None
    assert found.errors[0].loc == ["query", "callback_url"]


def test_each_owner_has_a_secret_of_their_own(telling: Any, receiver: Receiver, ledger: Ledger) -> None:
    api = telling(receiver.host, PENSTOCK_API_KEYS=f"ann:{digest(ANN)}")
    id = submit(api.http, receiver.url, **{"X-API-Key": ANN})

    succeed(ledger, id, b"{}")

    eventually(lambda: receiver.seen)
    headers, body = receiver.seen[0]
    assert Webhook(callback_secret(MASTER, "ann")).verify(body, headers)


def test_two_apis_deliver_each_end_once(telling: Any, receiver: Receiver, ledger: Ledger) -> None:
    api, _ = telling(receiver.host), telling(receiver.host)
    ids = [submit(api.http, receiver.url) for _ in range(30)]
    for id in ids:
        succeed(ledger, id, b"{}")

    eventually(lambda: len(receiver.accepted) >= 30)
    eventually(lambda: ledger.client.zcard("penstock:outbox") == 0)
    assert sorted(headers["webhook-id"] for headers in receiver.accepted) == sorted(f"{id}-1" for id in ids)
