"""Bodies that are wrong, or mean harm: each is refused for what it is, says nothing back, and leaves nothing behind."""

from collections.abc import Callable, Iterator

import httpx2
import pytest

from shared.ledger.connection import Ledger
from tests.contract.steps import claim
from tests.integration.api.hostile_bodies import CANARY, INVALID, PLAIN, ROWS, STATUS, UNSUPPORTED, Row
from tests.integration.api.process import Api
from tests.integration.api.raw import HOST, JSON, document, exchange
from tests.integration.api.requests import problem


@pytest.fixture(scope="module", autouse=True)
def _said_nothing(api: Api) -> Iterator[Callable[[], None]]:
    """Look at the log once everything was sent."""
    yield lambda: None
    log = "".join(api.log)
    assert CANARY not in log
    assert "Traceback" not in log


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
@pytest.mark.parametrize("row", ROWS, ids=[row.name[:60] for row in ROWS])
def test_a_body_is_taken_or_refused_for_what_it_is(http: httpx2.Client, row: Row, chunked: bool) -> None:
    content = iter([row.body[: len(row.body) // 2], row.body[len(row.body) // 2 :]]) if chunked else row.body

    answer = http.post(f"/task/{row.model}", content=content, headers=row.headers)

    if row.kind is None:
        assert answer.status_code == 202, answer.text
    else:
        problem(answer, STATUS[row.kind], row.kind)
        assert len(answer.content) < 20_000
    assert CANARY not in answer.text + str(answer.headers)
    assert http.get(f"/models/{row.model}").json()["queue"]["queued"] == (row.kind is None)
    assert http.get("/livez").status_code == 200


def test_of_a_name_that_is_there_twice_the_last_counts(http: httpx2.Client, ledger: Ledger) -> None:
    body = b'{"text": "a", "times": 9, "times": 2}'

    id = http.post("/task/echo", content=body, headers=PLAIN).json()["task_id"]

    assert claim(ledger, id).input == body  # the worker reads it as the API did


def test_an_unknown_field_is_named_but_no_more_of_it_than_anyone_reads(http: httpx2.Client) -> None:
    found = problem(http.post("/task/echo", json={"text": "a", "y" * 5000: 1}), 422, INVALID)

    assert found.errors is not None
    assert found.errors[0].loc == ["body", "y" * 100]


def test_two_content_types_are_one_too_many(api: Api, http: httpx2.Client) -> None:
    for pair in (JSON + b"Content-Type: text/plain\r\n", b"Content-Type: text/plain\r\n" + JSON, JSON + JSON):
        heard = exchange(
            api, b"POST /task/echo HTTP/1.1\r\n" + HOST + pair + b"Content-Length: 13\r\n\r\n" + b'{"text": "a"}'
        )
        assert heard.statuses == [415]
        document(heard.answers[0], UNSUPPORTED)


@pytest.mark.parametrize("call", ["GET /task/{}", "GET /livez", "POST /task/{}/cancel", "DELETE /task/{}"])
def test_a_body_where_none_belongs_is_passed_over(http: httpx2.Client, call: str) -> None:
    method, _, path = call.partition(" ")
    id = http.post("/task/echo", json={"text": "a"}).json()["task_id"]

    answer = http.request(method, path.format(id), content=b"[" + CANARY.encode() * 1000, headers=PLAIN)

    assert answer.status_code in (200, 204)
    assert CANARY not in answer.text
    assert http.get("/livez").status_code == 200  # on the same connection: the body was read, not taken for a request
