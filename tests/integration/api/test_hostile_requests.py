"""Request lines, headers and framing that no honest client sends: refused or passed over, and nowhere in the log."""

import json
from collections.abc import Iterator

import httpx2
import pytest

from tests.integration.api.hostile_requests import MALFORMED, ODD, OK, C
from tests.integration.api.process import Api
from tests.integration.api.raw import HOST, chunked, document, exchange, get, post


@pytest.fixture(scope="module", autouse=True)
def _said_nothing(api: Api) -> Iterator[None]:
    """Look at the log once everything was sent: it has the start, what was accepted, and nothing else."""
    yield
    assert {json.loads(line)["event"].split()[0] for line in api.log} == {"listening", "accepted"}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_what_is_not_http_is_a_problem_and_the_end_of_the_connection(
    api: Api, http: httpx2.Client, data: bytes
) -> None:
    heard = exchange(api, data, answers=2)

    assert heard.closed
    assert heard.statuses == [400]  # once: what was smuggled in got no answer
    document(heard.answers[0], None)
    assert heard.answers[0].headers["connection"] == "close"
    assert C not in heard.data
    assert http.get("/models/echo").json()["queue"]["queued"] == 0


@pytest.mark.parametrize(("data", "status"), ODD.values(), ids=ODD)
def test_what_is_odd_is_answered(api: Api, http: httpx2.Client, data: bytes, status: int) -> None:
    heard = exchange(api, data)

    assert heard.statuses == [status]
    assert heard.data.count(b"HTTP/1.1 ") == 1
    if status >= 400:
        assert heard.answers[0].headers["content-type"] == "application/problem+json"
    if len(heard.data) > 20_000:
        assert len(data) > 50_000  # no more than the path that was asked for
    assert C not in heard.data
    assert b"\n" not in heard.answers[0].body
    assert http.get("/livez").status_code == 200


@pytest.mark.parametrize(
    "data",
    [
        get(b"/livez", b"X-A: " + b"a" * 100_000),
        get(b"/livez", *[b"X-A: b"] * 20_000),
        get(b"/task/" + b"a" * 70_000),
        get(b"/task?" + b"a=1&" * 20_000),
        b"G" * 70_000,
        b"GET /livez HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 5_000_000,
        chunked(b"d\r\n%b\r\n0\r\n%b\r\n\r\n" % (OK, b"X-A: b\r\n" * 400_000)),
        chunked(b"d;" + b"a" * 5_000_000),
    ],
    ids=["header", "headers", "path", "query", "method", "header without end", "trailers", "extension"],
)
def test_a_head_too_large_is_refused_before_it_has_come(api: Api, http: httpx2.Client, data: bytes) -> None:
    heard = exchange(api, data, answers=2)

    assert heard.closed
    assert heard.statuses in ([431], [400], [])  # []: it was still sending when the server had closed
    assert http.get("/models/echo").json()["queue"]["queued"] == 0


def test_a_head_too_large_is_a_problem(api: Api, http: httpx2.Client) -> None:
    heard = exchange(api, get(b"/livez", b"X-A: " + b"a" * 66_000))
    assert heard.statuses == [431]
    assert "65536" in document(heard.answers[0], None).detail


def test_requests_in_a_row_are_answered_in_order_and_what_is_wrong_after_them_ends_it(
    api: Api, http: httpx2.Client
) -> None:
    heard = exchange(api, get(b"/readyz") + get(b"/livez") + post(OK) + b"\x00" + C, answers=9)
    assert heard.closed
    assert heard.statuses == [200, 200, 202]


@pytest.mark.parametrize("way", ["together", "apart"])
def test_a_wish_for_another_protocol_is_passed_over_with_its_body_in_place(
    api: Api, http: httpx2.Client, way: str
) -> None:
    wish = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")
    for request in (post(OK, *wish), chunked(b"d\r\n%b\r\n0\r\n\r\n" % OK, *wish)):
        assert exchange(api, request + get(b"/livez"), answers=2).statuses == [202, 200]


def test_trailers_are_no_headers(api: Api, http: httpx2.Client) -> None:
    trailers = b"Content-Type: text/plain\r\nIdempotency-Key: %b\r\nX-Request-ID: trailing\r\n" % C
    heard = exchange(api, chunked(b"d\r\n%b\r\n0\r\n%b\r\n" % (OK, trailers)) + get(b"/livez"), answers=2)
    assert heard.statuses == [202, 200]
    assert b"trailing" not in heard.data
