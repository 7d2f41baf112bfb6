import asyncio
import json
import logging
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.envelope import BodyLimit, Envelope
from api.metering import Metering

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


def test_what_escapes_is_a_problem_with_the_id_and_without_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        sent = serve(enveloped(raising(RuntimeError("sesame"))), [(b"x-request-id", b"me")])
    body: dict[str, Any] = json.loads(sent[1]["body"])
    assert sent[0]["status"] == body["status"] == 500
    assert body["type"] == "urn:penstock:problem:internal-error"
    assert "sesame" not in sent[1]["body"].decode()
    assert header(sent, b"x-request-id") == b"me"
    assert "sesame" in caplog.text


def test_a_failure_after_the_answer_began_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        serve(enveloped(app))


def test_a_client_that_went_away_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    assert serve(enveloped(raising(ClientDisconnect()))) == []
    assert not caplog.records


@pytest.mark.parametrize(("length", "status"), [(b"10", 200), (b"11", 413), (b"9" * 40, 413)])
def test_a_body_that_declares_itself_too_large_is_refused(length: bytes, status: int) -> None:
    sent = serve(BodyLimit(PlainTextResponse("ok"), limit=10), [(b"content-length", length)])
    assert sent[0]["status"] == status
