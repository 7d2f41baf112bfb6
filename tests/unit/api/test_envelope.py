import asyncio
import json
import traceback
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from api.envelope import BodyLimit, BrokenOffError, Envelope
from api.metering import Metering
from shared.log import request_id

Headers = list[tuple[bytes, bytes]]


def serve(app: ASGIApp, headers: Headers | None = None) -> list[Message]:
    scope = {"type": "http", "method": "POST", "path": "/task", "headers": headers or []}
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    return sent


def raising(error: Exception) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return app


def enveloped(app: ASGIApp) -> Envelope:
    return Envelope(app, Metering(()))


def header(sent: list[Message], name: bytes) -> bytes:
    return dict[bytes, bytes](sent[0]["headers"])[name]


@pytest.mark.parametrize("id", [b"abc-1.2_3", b"x" * 128])
def test_a_fit_request_id_comes_back(id: bytes) -> None:
    sent = serve(enveloped(PlainTextResponse("ok")), [(b"x-request-id", id)])
    assert header(sent, b"x-request-id") == id
    assert header(sent, b"x-content-type-options") == b"nosniff"


@pytest.mark.parametrize(
    "headers", [[], [(b"x-request-id", b"")], [(b"x-request-id", b"a b")], [(b"x-request-id", b"x" * 129)]]
)
def test_any_other_request_id_is_replaced(headers: Headers) -> None:
    id = header(serve(enveloped(PlainTextResponse("ok")), headers), b"x-request-id")
    assert len(id) == 32


def test_what_is_logged_meanwhile_has_the_id() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(request_id())(scope, receive, send)

    for id in (b"first", b"second"):
        sent = serve(enveloped(app), [(b"x-request-id", id)])
        assert sent[1]["body"] == id
    assert request_id() == ""


def test_a_request_is_a_line_for_debugging_without_its_query() -> None:
    with capture_logs() as said:
        serve(enveloped(PlainTextResponse("ok")))

    assert said == [{"event": "answered", "method": "POST", "path": "/task", "status": 200, "log_level": "debug"}]


def test_what_escapes_is_a_problem_with_the_id_and_without_the_reason() -> None:
    error = RuntimeError("sesame")
    with capture_logs() as said:
        sent = serve(enveloped(raising(error)), [(b"x-request-id", b"me")])
    body: dict[str, Any] = json.loads(sent[1]["body"])
    assert sent[0]["status"] == body["status"] == 500
    assert body["type"] == "urn:penstock:problem:internal-error"
    assert "sesame" not in sent[1]["body"].decode()
    assert header(sent, b"x-request-id") == b"me"
    assert [(line["event"], line["failure"]) for line in said if line["log_level"] == "error"] == [
        ("a request failed", error)
    ]


def test_a_failure_after_the_answer_began_ends_the_connection() -> None:
    """The server logs what it is told then, whose text is ours: the error's own may quote an input."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise KeyError("sesame")

    with capture_logs() as said, pytest.raises(BrokenOffError) as raised:
        serve(enveloped(app))

    assert "sesame" not in "".join(traceback.format_exception(raised.value)).replace('KeyError("sesame")', "")
    assert said[-1]["event"] == "a request failed"


def test_a_client_that_went_away_is_no_failure() -> None:
    with capture_logs() as said:
        assert serve(enveloped(raising(ClientDisconnect()))) == []
    assert not said


@pytest.mark.parametrize(("length", "status"), [(b"10", 200), (b"11", 413), (b"9" * 40, 413)])
def test_a_body_that_declares_itself_too_large_is_refused(length: bytes, status: int) -> None:
    sent = serve(BodyLimit(PlainTextResponse("ok"), limit=10), [(b"content-length", length)])
    assert sent[0]["status"] == status
