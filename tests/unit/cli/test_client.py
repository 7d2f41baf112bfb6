"""What the client makes of an answer."""

from typing import Any

import pytest

from cli.client import Client, ClientError, UnavailableError, problem, read_reply, retry_after

DOCUMENT = {"task_id": "t", "status": "queued"}


@pytest.mark.parametrize(
    ("header", "seconds"), [("3", 3.0), ("0", 0.0), (None, None), ("soon", None), ("-1", None), ("inf", None)]
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_a_document_is_a_reply() -> None:
    reply = read_reply(202, {"retry-after": "2"}, DOCUMENT)
    assert (reply.document, reply.retry_after) == (DOCUMENT, 2.0)


def test_a_503_may_be_tried_again() -> None:
    with pytest.raises(UnavailableError, match=r"^Service Unavailable: the ledger is away$") as caught:
        read_reply(503, {"retry-after": "1"}, {"title": "Service Unavailable", "detail": "the ledger is away"})
    assert caught.value.retry_after == 1.0


@pytest.mark.parametrize("body", [None, [], "ok", {"status": "queued"}])
def test_what_is_no_document_is_refused(body: Any) -> None:
    with pytest.raises(ClientError, match="no task document"):
        read_reply(200, {}, body)


def test_a_problem_names_each_field_that_is_wrong() -> None:
    errors = [{"loc": ["body", "wait_time"], "msg": "too large"}, {"loc": "body", "msg": "odd"}, "?"]
    body = {"title": "Unprocessable Content", "detail": "2 fields are wrong", "errors": errors}
    assert problem(422, body).splitlines() == [
        "Unprocessable Content: 2 fields are wrong",
        "  body.wait_time: too large",
        "  body: odd",
    ]


@pytest.mark.parametrize("body", [None, {}, "nope", {"title": "Bad Gateway", "errors": 3}])
def test_any_body_of_an_error_is_survived(body: Any) -> None:
    assert "\n" not in problem(502, body)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", ""])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ClientError, match="no http"):
        Client(url)
