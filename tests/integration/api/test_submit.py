"""Submitting: what is accepted, what is refused, and how that is told."""

import json
from typing import Any

import httpx2
import pytest

from api.document import TaskDocument
from shared.ledger import calls
from shared.ledger.connection import Ledger
from tests.contract.steps import claim
from tests.integration.api.process import MAX_BODY_BYTES
from tests.integration.api.requests import HELLO, HOUR_MS, problem, submit, succeed


def test_the_answer_is_the_task_and_where_it_is(http: httpx2.Client) -> None:
    answer = http.post("/task/echo", json=HELLO)
    task = TaskDocument.model_validate_json(answer.content)
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/task/{task.task_id}" == task.links.self
    assert answer.headers["retry-after"] == "5"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers
    assert (task.model, task.status, task.attempt, task.result) == ("echo", "queued", 0, None)
    assert http.get(answer.headers["location"]).json() == answer.json()


def test_without_a_name_it_goes_to_the_default_model(http: httpx2.Client) -> None:
    assert http.post("/task", json=HELLO).json()["model"] == "echo"


def test_the_body_is_stored_as_it_came(http: httpx2.Client, ledger: Ledger) -> None:
    body = b'{ "text" : "caf\xc3\xa9",\n "times":2 }'
    task = http.post("/task/echo", content=body, headers={"Content-Type": "application/json"}).json()
    held = claim(ledger, task["task_id"])
    assert held.input == body


def test_each_queued_task_knows_its_place(http: httpx2.Client, ledger: Ledger) -> None:
    tasks = [submit(http) for _ in range(3)]
    assert [task["queue"]["position"] for task in tasks] == [1, 2, 3]
    assert {task["queue"]["reason"] for task in tasks} == {"no_workers"}
    ledger.run(calls.announce("worker", {"echo": 1}, HOUR_MS))
    succeed(ledger, tasks[0]["task_id"], b"{}")
    now = [http.get(task["links"]["self"]).json()["queue"] for task in tasks[1:]]
    assert [queue["position"] for queue in now] == [1, 2]
    assert {queue["reason"] for queue in now} == {"waiting"}
    assert all(queue["eta_seconds"] is not None for queue in now)


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"text": 5}, ["body", "text"]),
        ({}, ["body", "text"]),
        ({"text": "a", "time": 2}, ["body", "time"]),
        ({"text": "a", "times": 9}, ["body", "times"]),
        ([], ["body"]),
    ],
)
def test_an_invalid_input_is_told_where(http: httpx2.Client, body: Any, loc: list[str]) -> None:
    found = problem(http.post("/task/echo", json=body), 422, "invalid-input")
    assert found.errors is not None
    assert [error.loc for error in found.errors] == [loc]
    assert http.get("/models/echo").json()["queue"]["queued"] == 0


def test_an_unknown_parameter_is_not_passed_over(http: httpx2.Client) -> None:
    found = problem(http.post("/task/echo?piority=9", json=HELLO), 422, "invalid-input")
    assert found.errors is not None
    assert (found.errors[0].loc, found.errors[0].type) == (["query", "piority"], "extra_forbidden")


@pytest.mark.parametrize("body", [b"", b"  ", b"{", b'{"text": "\xff"}', b'{"text": "\\ud800"}', b"[" * 10_000])
def test_what_is_not_json_is_400(http: httpx2.Client, body: bytes) -> None:
    answer = http.post("/task/echo", content=body, headers={"Content-Type": "application/json"})
    problem(answer, 400, "broken-json")


@pytest.mark.parametrize("content_type", ["text/plain", "application/json; charset=utf-16", "multipart/form-data"])
def test_another_content_type_is_415(http: httpx2.Client, content_type: str) -> None:
    answer = http.post("/task/echo", content=b"{}", headers={"Content-Type": content_type})
    problem(answer, 415, "unsupported-media-type")


def test_no_content_type_and_a_compressed_body_are_415(http: httpx2.Client) -> None:
    problem(http.post("/task/echo", content=b"{}"), 415, "unsupported-media-type")
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    problem(http.post("/task/echo", content=b"{}", headers=headers), 415, "unsupported-media-type")


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_a_body_too_large_is_413(http: httpx2.Client, chunked: bool) -> None:
    body = json.dumps({"text": "x" * MAX_BODY_BYTES}).encode()
    content = iter([body[:1000], body[1000:]]) if chunked else body
    answer = http.post("/task/echo", content=content, headers={"Content-Type": "application/json"})
    assert str(MAX_BODY_BYTES) in problem(answer, 413, "body-too-large").detail


def test_an_unknown_model_is_404_and_names_those_that_are_served(http: httpx2.Client) -> None:
    assert "echo, shape" in problem(http.post("/task/nope", json={}), 404, "unknown-model").detail
