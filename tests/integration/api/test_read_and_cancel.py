"""Reading a task in all its states, and canceling it."""

from uuid import uuid4

import httpx2
import pytest

from api.document import TaskDocument
from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.task import Progress
from tests.contract.steps import claim
from tests.integration.api.requests import HOUR_MS, problem, submit, succeed


def test_an_unknown_id_is_404(http: httpx2.Client) -> None:
    problem(http.get(f"/task/{uuid4()}"), 404, "unknown-task")


@pytest.mark.parametrize("path", ["/task/nope", "/task/123", "/task/echo"])
def test_an_id_that_is_none_is_422(http: httpx2.Client, path: str) -> None:
    found = problem(http.get(path), 422, "invalid-input")
    assert found.errors is not None
    assert found.errors[0].loc == ["path", "task_id"]


def test_an_id_may_be_spelt_in_capitals(http: httpx2.Client) -> None:
    task = submit(http)
    assert http.get(f"/task/{task['task_id'].upper()}").json()["task_id"] == task["task_id"]


def test_a_running_task_shows_its_progress(http: httpx2.Client, ledger: Ledger) -> None:
    task = submit(http)
    held = claim(ledger, task["task_id"])
    ledger.run(calls.progress(held, Progress(0.25, "a quarter")))
    answer = http.get(task["links"]["self"])
    assert answer.headers["retry-after"] == "1"
    now = answer.json()
    assert (now["status"], now["attempt"], now["queue"]) == ("running", 1, None)
    assert now["progress"] == {"fraction": 0.25, "message": "a quarter"}


def test_a_result_comes_back_byte_for_byte(http: httpx2.Client, ledger: Ledger) -> None:
    task, result = submit(http), b'{"text":  "caf\xc3\xa9 \\u00e9", "n": 1.50}'
    succeed(ledger, task["task_id"], result)
    answer = http.get(task["links"]["self"])
    assert b'"result":' + result + b"," in answer.content
    assert "retry-after" not in answer.headers
    now = TaskDocument.model_validate_json(answer.content)
    assert (now.status, now.links.cancel) == ("succeeded", None)
    assert now.expires_at is not None


def test_head_is_get_without_the_body(http: httpx2.Client) -> None:
    answer = http.head(submit(http)["links"]["self"])
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("claimed", [False, True], ids=["queued", "running"])
def test_a_task_is_canceled_once_and_for_all(http: httpx2.Client, ledger: Ledger, claimed: bool) -> None:
    task = submit(http)
    held = claim(ledger, task["task_id"]) if claimed else None
    answers = [http.post(task["links"]["cancel"]) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json() == http.get(task["links"]["self"]).json()
    assert (answers[0].json()["status"], answers[0].json()["links"]["cancel"]) == ("canceled", None)
    if held is not None:
        assert not ledger.run(calls.succeed(held, b"{}", HOUR_MS))


def test_a_task_that_finished_otherwise_is_409(http: httpx2.Client, ledger: Ledger) -> None:
    task = submit(http)
    succeed(ledger, task["task_id"], b"{}")
    assert "succeeded" in problem(http.post(task["links"]["cancel"]), 409, "task-finished").detail


def test_an_unknown_task_is_404_and_no_id_is_422(http: httpx2.Client) -> None:
    problem(http.post(f"/task/{uuid4()}/cancel"), 404, "unknown-task")
    problem(http.post("/task/echo/cancel"), 422, "invalid-input")
