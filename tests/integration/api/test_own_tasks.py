"""What a client does with its tasks: list them, have them run again, forget them, send one again under its key."""

import asyncio
from uuid import uuid4

import httpx2
import pytest

from api.document import TasksDocument
from shared.ledger import calls
from shared.ledger.connection import Ledger
from tests.contract.steps import claim, fail
from tests.integration.api.process import Api
from tests.integration.api.requests import HELLO, HOUR_MS, problem, submit, succeed
from tests.redis_server import RedisServer


def listed(http: httpx2.Client, **parameters: object) -> tuple[list[str], str | None]:
    answer = http.get("/task", params=parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    TasksDocument.model_validate_json(answer.content)
    page = answer.json()
    return [task["task_id"] for task in page["tasks"]], page["next"]


def test_tasks_are_listed_page_by_page(http: httpx2.Client, ledger: Ledger) -> None:
    assert listed(http) == ([], None)
    ids = [submit(http)["task_id"] for _ in range(5)][::-1]
    succeed(ledger, ids[1], b'{"text":"large"}')

    first, cursor = listed(http, limit=2)
    submit(http)
    second, after = listed(http, limit=2, cursor=cursor)
    third, end = listed(http, limit=2, cursor=after)

    assert (first + second + third, end) == (ids, None)
    document = http.get("/task", params={"status": "succeeded,failed"}).json()["tasks"]
    assert [task["task_id"] for task in document] == [ids[1]]
    assert "result" not in document[0]
    assert http.get("/task?status=succeeded&status=failed").json()["tasks"] == document
    assert listed(http, model="other") == ([], None)


@pytest.mark.parametrize(
    ("name", "value"),
    [("limit", "0"), ("limit", "101"), ("limit", "x"), ("status", "done"), ("status", ""), ("status", "queued,"),
     ("cursor", "x"), ("cursor", "-1"), ("cursor", ""), ("cursor", "9" * 40), ("owner", "ann"), ("model", "x" * 65)],
)  # fmt: skip
def test_a_wrong_parameter_of_a_list_is_named(http: httpx2.Client, name: str, value: str) -> None:
    found = problem(http.get("/task", params={name: value}), 422, "invalid-input")
    assert found.errors is not None
    assert found.errors[0].loc[:2] == ["query", name]


def test_a_failed_task_is_run_again_under_its_id(http: httpx2.Client, ledger: Ledger) -> None:
    id = submit(http)["task_id"]
    fail(ledger, id)

    answer = http.post(f"/task/{id}/retry")

    assert (answer.status_code, answer.json()["status"], answer.json()["error"]) == (202, "queued", None)
    assert answer.headers["location"] == answer.headers["content-location"] == f"/task/{id}"
    assert answer.headers["retry-after"]
    problem(http.post(f"/task/{id}/retry"), 409, "not-retryable")
    ledger.run(calls.succeed(claim(ledger, id), b"{}", HOUR_MS))
    assert http.get(f"/task/{id}").json()["attempt"] == 2
    assert "succeeded" in problem(http.post(f"/task/{id}/retry"), 409, "not-retryable").detail


def test_there_must_be_a_task_to_retry_or_forget(http: httpx2.Client) -> None:
    for method, end in (("POST", "/retry"), ("DELETE", "")):
        problem(http.request(method, f"/task/{uuid4()}{end}"), 404, "unknown-task")
        problem(http.request(method, f"/task/nope{end}"), 422, "invalid-input")


@pytest.mark.parametrize("claimed", [False, True], ids=["queued", "running"])
def test_a_forgotten_task_is_gone(http: httpx2.Client, ledger: Ledger, claimed: bool) -> None:
    id = submit(http)["task_id"]
    held = claim(ledger, id) if claimed else None

    answer = http.delete(f"/task/{id}")

    assert (answer.status_code, answer.content) == (204, b"")
    for method, end in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("POST", "/retry"), ("GET", "/events")):
        problem(http.request(method, f"/task/{id}{end}"), 410, "task-gone")
    assert listed(http) == ([], None)
    if held is not None:
        assert not ledger.run(calls.succeed(held, b"{}", HOUR_MS))


@pytest.mark.parametrize(("first", "again"), [("abc", "abc"), ('"abc"', "abc"), ("abc", '"abc"')])
def test_the_same_key_is_the_same_task(http: httpx2.Client, ledger: Ledger, first: str, again: str) -> None:
    answers = [http.post("/task/echo", json=HELLO, headers={"Idempotency-Key": key}) for key in (first, again)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true"]
    succeed(ledger, answers[0].json()["task_id"], b"{}")
    ended = http.post("/task/echo", json=HELLO, headers={"Idempotency-Key": first})
    assert (ended.status_code, ended.json()["status"]) == (202, "succeeded")
    waited = http.post("/task/echo?wait=5", json=HELLO, headers={"Idempotency-Key": first})
    assert (waited.status_code, waited.json()) == (200, ended.json())
    assert len(listed(http)[0]) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [("/task/echo", '{"text": "other"}'), ("/task/echo?priority=2", '{"text": "hello"}'),
     ("/task/echo?expires_in=5", '{"text": "hello"}')],
)  # fmt: skip
def test_the_same_key_for_another_request_is_refused(http: httpx2.Client, path: str, body: str) -> None:
    key = {"Idempotency-Key": "abc", "Content-Type": "application/json"}
    assert http.post("/task/echo", content='{"text": "hello"}', headers=key).status_code == 202

    problem(http.post(path, content=body, headers=key), 422, "key-reused")
    assert len(listed(http)[0]) == 1


def test_two_bodies_that_mean_the_same_are_the_same_request(http: httpx2.Client) -> None:
    bodies = ['{"text": "hello"}', ' {\n"text" : "h\\u0065llo"}']
    key = {"Idempotency-Key": "abc", "Content-Type": "application/json"}
    first, second = (http.post("/task/echo", content=body, headers=key) for body in bodies)

    assert first.json()["task_id"] == second.json()["task_id"]


@pytest.mark.parametrize("key", ["", '""', '"', '"abc', 'a"b', "a b", "ä", "x" * 256, '"a\\b"'])
def test_a_key_that_is_none_is_400(http: httpx2.Client, key: str) -> None:
    found = http.post("/task/echo", json=HELLO, headers=[("Idempotency-Key", key.encode())])  # type: ignore[list-item]
    assert "Idempotency-Key" in problem(found, 400, "bad-header").detail
    assert listed(http) == ([], None)


def test_two_keys_are_400(http: httpx2.Client) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    problem(http.post("/task/echo", json=HELLO, headers=headers), 400, "bad-header")


def test_a_forgotten_task_stays_forgotten_for_its_key(http: httpx2.Client) -> None:
    key = {"Idempotency-Key": "abc"}
    id = http.post("/task/echo", json=HELLO, headers=key).json()["task_id"]
    http.delete(f"/task/{id}")

    problem(http.post("/task/echo", json=HELLO, headers=key), 410, "task-gone")


def test_a_hundred_at_once_make_one_task(api: Api, http: httpx2.Client, server: RedisServer) -> None:
    async def race() -> list[httpx2.Response]:
        async with httpx2.AsyncClient(base_url=http.base_url, timeout=20, trust_env=False) as racing:
            key = {"Idempotency-Key": "race"}
            return await asyncio.gather(*(racing.post("/task/echo", json=HELLO, headers=key) for _ in range(100)))

    answers = asyncio.run(race())

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["task_id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 99
    assert len(server.client.keys("penstock:task:*")) == 1
