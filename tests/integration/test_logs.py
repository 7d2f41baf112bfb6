"""The logs of the whole: one search tells the story of a task, and no search finds what a client has sent."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import psutil
import pytest

from shared.keys import digest, new_key
from tests.integration.client import Client
from tests.integration.conftest import free_port, is_alive
from tests.integration.nodes import ROOT, ApiProcess, Process, WorkerProcess
from tests.waiting import comes_to, eventually

AddWorker = Callable[..., WorkerProcess]
KEY = new_key()
SECRET = "Ludwigshafen Rosengarten"  # what a client may have sent: words, as digits occur in times and ids by chance


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {
        **environment,
        "PENSTOCK_MODELS": str(ROOT / "tests/models/chatty"),
        "PENSTOCK_API_KEYS": f"me:{digest(KEY)}",
    }


@pytest.fixture
def api(environment: dict[str, str]) -> Iterator[ApiProcess]:
    api = ApiProcess(free_port(), environment)
    with httpx2.Client(base_url=api.url, timeout=10) as http:
        eventually(lambda: is_alive(http, api), within=20)
    yield api
    api.close()


@pytest.fixture
def client(api: ApiProcess) -> Iterator[Client]:
    with httpx2.Client(base_url=api.url, timeout=10, headers={"X-API-Key": KEY}) as http:
        yield Client(http)


def submit(client: Client, request_id: str, **input: Any) -> str:
    answer = client.http.post("/task/chatty", json={"text": SECRET, **input}, headers={"X-Request-ID": request_id})
    assert answer.status_code == 202, answer.text
    id: str = answer.json()["task_id"]
    return id


def lines_with(word: str, *processes: Process) -> list[dict[str, Any]]:
    """What `grep` finds in all logs, in the order of their times."""
    found = [json.loads(line) for each in processes for line in each.logs().splitlines() if word in line]
    return sorted(found, key=lambda line: str(line["timestamp"]))


def story(word: str, *processes: Process) -> list[tuple[str, str]]:
    """Who said what, without what the model itself says."""
    lines = lines_with(word, *processes)
    return [(line["process"], line["event"]) for line in lines if "stream" not in line and "logger" not in line]


def child_of(client: Client, id: str) -> psutil.Process:
    progress = eventually(lambda: client.get(id)["progress"], every=0.005)
    return psutil.Process(int(progress["message"]))


def test_one_search_tells_the_story_of_a_task(add_worker: AddWorker, api: ApiProcess, client: Client) -> None:
    worker = add_worker()
    worker.ready()

    done = submit(client, "the-first.1", how="wait", seconds=0.2)
    client.finished(done)
    canceled = submit(client, "the-second.2", how="wait", seconds=60)
    child_of(client, canceled)
    assert client.cancel(canceled).status_code == 200
    eventually(lambda: "killed the child" in worker.logs())
    killed = submit(client, "the-third.3", how="wait", seconds=1)
    child_of(client, killed).kill()
    client.finished(killed)
    assert client.http.delete(f"/task/{killed}").status_code == 204

    whole = [("api", "accepted"), ("child", "finished")]
    comes_to(lambda: story(done, api, worker), whole)
    assert story("the-first.1", api, worker) == whole
    accepted, *ended = story(canceled, api, worker)
    assert accepted == ("api", "accepted")
    assert set(ended) == {("api", "canceled"), ("worker", "killed the child")}  # at the same time
    again = [("api", "accepted"), ("child", "child died"), ("child", "finished")]
    comes_to(lambda: story(killed, api, worker), [*again, ("api", "forgotten")])
    assert story("the-third.3", api, worker) == again


def test_a_line_says_which_attempt_of_which_request_it_is_of(
    add_worker: AddWorker, api: ApiProcess, client: Client
) -> None:
    worker = add_worker()
    worker.ready()
    id = submit(client, "first", how="raise")
    client.finished(id)
    answer = client.http.post(f"/task/{id}/retry", headers={"X-Request-ID": "second"})
    assert answer.status_code == 202
    eventually(lambda: client.get(id)["attempt"] == 2)
    client.finished(id)

    def lines() -> list[dict[str, Any]]:
        return [line for line in lines_with(id, api, worker) if line["process"] == "child"]

    expected = [
        (attempt, request, event)
        for attempt, request in ((1, "first"), (2, "second"))
        for event in ("prediction failed", "finished")
    ]
    comes_to(lambda: [(line["attempt"], line["request_id"], line["event"]) for line in lines()], expected)
    assert all(line["task_id"] == id and line["model"] == "chatty" for line in lines())
    finished = lines()[-1]
    assert finished["outcome"] == "model_error"
    assert finished["waited_ms"] >= 0
    assert finished["ran_ms"] >= 0
    assert [event for _, event in story(id, api)] == ["accepted", "retried"]


def test_what_a_model_says_is_said_of_its_task(add_worker: AddWorker, client: Client) -> None:
    worker = add_worker("--concurrency", "1")
    worker.ready()
    id = submit(client, "mine")
    client.finished(id)

    said = [line for line in lines_with(id, worker) if line["event"] == "printed"]

    assert {(line["stream"], line["text"]) for line in said} == {
        ("stdout", "printed in pieces"),
        ("stdout", "half a line"),
        ("stdout", "by a thread"),
        ("stderr", "to stderr"),
    }
    logged, warned = [line for line in lines_with(id, worker) if "logger" in line]
    assert (logged["logger"], logged["event"], logged["level"]) == ("chatty", "by logging", "warning")
    assert warned["logger"] == "py.warnings"
    assert "UserWarning: by warnings" in warned["event"]
    lines = [*said, logged, warned]
    about = {(line["task_id"], line["attempt"], line["request_id"], line["process"]) for line in lines}
    assert about == {(id, 1, "mine", "child")}
    assert "past Python" in worker.logs().splitlines()


def test_what_a_model_says_while_it_loads_is_said_of_the_model(add_worker: AddWorker) -> None:
    worker = add_worker("--concurrency", "1")
    worker.ready()

    said = [(line["text"], line["stream"], line["model"]) for line in worker.events() if line["event"] == "printed"]

    assert said == [("weights are read", "stdout", "chatty"), ("ready to talk", "stderr", "chatty")]


@pytest.mark.parametrize("level", ["info", "debug"])
def test_no_log_has_an_input_or_a_key(environment: dict[str, str], add_worker: AddWorker, level: str) -> None:
    """Not even where it goes wrong: the text of an exception quotes what it could not take."""
    worker = add_worker("--log-level", level)
    worker.ready()
    api = ApiProcess(free_port(), {**environment, "PENSTOCK_LOG_LEVEL": level})
    try:
        with httpx2.Client(base_url=api.url, timeout=10, headers={"X-API-Key": KEY}) as http:
            eventually(lambda: is_alive(http, api), within=20)
            client = Client(http)
            ways = ["wait", "talk"] if level == "debug" else ["wait", "talk", "raise", "tell", "nest", "invalid"]
            ids = [submit(client, f"request-{how}", how=how) for how in ways]
            for id in ids:
                client.finished(id)
            assert http.post("/task/chatty", json={"text": SECRET, "how": SECRET}).status_code == 422
            assert http.post("/task/chatty", content=SECRET).status_code == 415
            assert http.post("/task/chatty", json={"text": 1, SECRET: SECRET}).status_code == 422
            assert http.post(f"/task/chatty?{SECRET}=1", json={"text": SECRET}).status_code == 422
            assert http.get("/task", headers={"X-API-Key": f"wrong-{KEY}"}).status_code == 401
            eventually(lambda: worker.logs().count('"event":"finished"') == len(ids))
    finally:
        logs = worker.logs() + api.logs()
        api.close()
    assert all(id in logs for id in ids)
    for secret in (SECRET, *SECRET.split(), KEY):
        assert secret not in logs
    if level == "info":
        assert logs.count('"event":"prediction failed"') == 4
        assert "models/chatty/model.py" in logs  # where it went wrong
        assert "builtins.KeyError" in logs


def test_a_level_that_there_is_not_is_refused_by_its_name(add_worker: AddWorker) -> None:
    worker = add_worker("--log-level", "loud")

    assert worker.wait() == 2
    assert "penstock worker: PENSTOCK_LOG_LEVEL: " in worker.logs()


def test_debug_shows_the_steps_between(add_worker: AddWorker, client: Client, api: ApiProcess) -> None:
    worker = add_worker("--log-level", "debug")
    worker.ready()
    id = submit(client, "loud", how="wait")
    client.finished(id)

    comes_to(lambda: [event for _, event in story(id, worker)], ["claimed", "progress", "finished"])
    assert "answered" not in {line["event"] for line in api.events()}


def test_a_stopping_worker_says_what_it_gives_back(add_worker: AddWorker, client: Client) -> None:
    worker = add_worker("--concurrency", "1", "--drain", "0")
    worker.ready()
    id = submit(client, "given-back", how="wait", seconds=60)
    child_of(client, id)

    worker.popen.terminate()

    assert worker.wait() == 0
    assert {("worker", "killed the child"), ("worker", "released")} == set(story(id, worker))
    assert ("worker", "draining") in [(line["process"], line["event"]) for line in worker.events()]
