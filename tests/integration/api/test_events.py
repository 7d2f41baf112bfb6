"""Following a task by server-sent events."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx2
import pytest
from httpx2 import EventSource, ServerSentEvent

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.task import Progress
from tests.contract.steps import claim
from tests.integration.api.process import Api
from tests.integration.api.requests import HOUR_MS, problem, submit, succeed
from tests.redis_server import RedisServer
from tests.waiting import eventually


@contextmanager
def following(http: httpx2.Client, id: str, **headers: str) -> Iterator[Iterator[ServerSentEvent]]:
    with http.stream("GET", f"/task/{id}/events", headers=headers, timeout=10) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        yield iter(EventSource(response))


def test_every_change_comes_in_its_turn_and_then_the_end(http: httpx2.Client, ledger: Ledger) -> None:
    id = submit(http)["task_id"]
    with following(http, id) as events:
        first = next(events)
        assert (first.event, first.json()) == ("task", http.get(f"/task/{id}").json())
        held = claim(ledger, id)
        assert next(events).json()["status"] == "running"
        ledger.run(calls.progress(held, Progress(0.5, "half")))
        assert next(events).json()["progress"] == {"fraction": 0.5, "message": "half"}
        ledger.run(calls.succeed(held, b'{"text":"hello"}', HOUR_MS))
        last = next(events)
        assert last.json() == http.get(f"/task/{id}").json()
        assert [event.event for event in events] == ["end"]
    assert len({first.id, last.id}) == 2


def test_a_task_that_has_ended_is_told_at_once(http: httpx2.Client, ledger: Ledger) -> None:
    id = submit(http)["task_id"]
    succeed(ledger, id, b"{}")
    with following(http, id) as events:
        assert [event.event for event in events] == ["task", "end"]


def test_what_was_seen_is_not_sent_again(http: httpx2.Client, ledger: Ledger) -> None:
    id = submit(http)["task_id"]
    with following(http, id) as events:
        seen = next(events).id
    held = claim(ledger, id)
    with following(http, id, **{"Last-Event-ID": seen}) as events:
        running = next(events)
        assert running.json()["status"] == "running"
    with following(http, id, **{"Last-Event-ID": running.id}) as events:
        ledger.run(calls.succeed(held, b"{}", HOUR_MS))
        last = next(events)
        assert last.json()["status"] == "succeeded"

    again = http.get(f"/task/{id}/events", headers={"Last-Event-ID": last.id})

    assert (again.status_code, again.content) == (204, b"")  # a browser does not come again


def test_a_forgotten_task_is_told_to_be_gone(http: httpx2.Client) -> None:
    id = submit(http)["task_id"]
    with following(http, id) as events:
        next(events)
        http.delete(f"/task/{id}")
        assert [event.event for event in events] == ["gone"]


def test_what_cannot_be_followed_is_told_before_the_stream_begins(http: httpx2.Client, server: RedisServer) -> None:
    problem(http.get(f"/task/{uuid4()}/events"), 404, "unknown-task")
    problem(http.get("/task/nope/events"), 422, "invalid-input")
    id = submit(http)["task_id"]
    http.delete(f"/task/{id}")
    problem(http.get(f"/task/{id}/events"), 410, "task-gone")


def test_a_client_that_goes_away_costs_nothing(http: httpx2.Client, server: RedisServer) -> None:
    id = submit(http)["task_id"]
    with following(http, id) as events:
        next(events)
        assert server.client.info("clients")["pubsub_clients"] == 1

    eventually(lambda: server.client.info("clients")["pubsub_clients"] == 0, within=15)


@pytest.mark.parametrize("away", ["killed", "cut"])
def test_a_stream_outlives_its_subscription_or_ends_so_that_it_is_resumed(
    http: httpx2.Client, ledger: Ledger, server: RedisServer, away: str
) -> None:
    id = submit(http)["task_id"]
    with following(http, id) as events:
        seen = next(events).id
        if away == "killed":
            server.kill()
            rest = list(events)
            server.start()
            assert [(event.data, event.retry) for event in rest] == [("", 1000)]  # to a browser that is no event
        else:
            server.client.client_kill_filter(_type="pubsub")
            succeed(ledger, id, b"{}")
            told = [event.json()["status"] for event in events if event.event == "task"]
            assert told[-1] == "succeeded"  # a slow machine shows that it runs, before
            return
    succeed(ledger, id, b"{}")
    eventually(lambda: http.get("/readyz").status_code == 200)
    with following(http, id, **{"Last-Event-ID": seen}) as events:
        assert [event.event for event in events] == ["task", "end"]


def test_streams_do_not_hold_up_a_stopping_api(server: RedisServer, models: str) -> None:
    api = Api(PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models)
    id = submit(api.http)["task_id"]
    lines: list[str] = []
    begun = threading.Event()

    def follow() -> None:
        with api.http.stream("GET", f"/task/{id}/events", timeout=30) as response:
            for line in response.iter_lines():
                lines.append(line)
                begun.set()

    follower = threading.Thread(target=follow)
    follower.start()
    assert begun.wait(10)
    began = time.monotonic()

    api.process.terminate()
    follower.join(10)

    assert api.process.wait(10) == 0
    assert time.monotonic() - began < 5
    assert "retry: 1000" in lines
    api.close()
