"""The lane answers what the framework would, byte for byte."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.types import ASGIApp, Message

from api.app import App, create_app
from api.lane import task_or_model
from shared.keys import KeyLine, digest
from shared.ledger.call import Call
from shared.ledger.connection import AsyncLedger
from shared.ledger.records import Full, Refusal
from shared.model import read_schemas
from shared.settings import Settings
from shared.task import Missing
from tests.unit.api.examples import ID, QUEUED, RUNNING, SUCCEEDED, write_models

KEY = "0123456789abcdef0123456789abcdef"
REQUEST_ID = (b"x-request-id", b"same")
HELLO = b'{"text": "hello"}'
Asked = tuple[str, str, Mapping[str, str], bytes]
JSON = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}


class Scripted:
    """A ledger that finds what it is told to, or fails."""

    client = None

    def __init__(self) -> None:
        self.found: Any = None

    async def run(self, call: Call[Any]) -> Any:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.fixture
def ledger() -> Scripted:
    return Scripted()


@pytest.fixture
def app(tmp_path: Path, ledger: Scripted) -> App:
    folders = tuple(write_models(tmp_path))
    settings = Settings(models=folders, api_keys=str(KeyLine("me", digest(KEY))), max_body_bytes=1024)
    return create_app(settings, read_schemas(folders), cast("AsyncLedger", ledger))


def serve(app: ASGIApp, method: str, path: str, headers: Mapping[str, str], body: bytes) -> list[Message]:
    scope = {
        "type": "http",
        "method": method,
        "path": path.partition("?")[0],
        "query_string": path.partition("?")[2].encode(),
        "headers": [REQUEST_ID, *((name.encode(), value.encode()) for name, value in headers.items())],
        "root_path": "",
    }
    sent: list[Message] = []
    received = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return received.pop() if received else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    return sent


@pytest.mark.parametrize(
    ("found", "asked"),
    [
        (QUEUED, ("POST", "/task/echo", JSON, HELLO)),
        (QUEUED, ("POST", "/task/echo?priority=3", JSON, HELLO)),
        (QUEUED, ("POST", "/task/echo?priority=9", JSON, HELLO)),
        (QUEUED, ("POST", "/task/echo", JSON | {"idempotency-key": "a b"}, HELLO)),
        (QUEUED, ("POST", "/task/echo", {}, HELLO)),
        (QUEUED, ("POST", "/task/echo", JSON | {"content-length": "9999"}, HELLO)),
        (QUEUED, ("POST", "/task/echo", JSON, b"x" * 2000)),
        (QUEUED, ("POST", "/task/echo", JSON, b"{")),
        (QUEUED, ("POST", "/task/echo", JSON, b"{}")),
        (QUEUED, ("POST", "/task/echo", {"authorization": f"Bearer {KEY}"}, HELLO)),
        (QUEUED, ("POST", "/task/nobody", JSON, HELLO)),
        (Refusal(Full.OWNER, 3, 2000), ("POST", "/task/echo", JSON, HELLO)),
        (ValueError("a defect"), ("POST", "/task/echo", JSON, HELLO)),
        (OSError(), ("POST", "/task/echo", JSON, HELLO)),
        (QUEUED, ("GET", f"/task/{ID}", JSON, b"")),
        (RUNNING, ("GET", f"/task/{ID}", JSON, b"")),
        (SUCCEEDED, ("GET", f"/task/{ID}", JSON, b"")),
        (SUCCEEDED, ("GET", f"/task/{ID}?wait=1", JSON, b"")),
        (SUCCEEDED, ("GET", f"/task/{ID}?what=1", JSON, b"")),
        (SUCCEEDED, ("GET", f"/task/{ID}", JSON | {"if-none-match": "*"}, b"")),
        (Missing.GONE, ("GET", f"/task/{ID}", JSON, b"")),
        (Missing.UNKNOWN, ("GET", f"/task/{ID}", JSON, b"")),
        (None, ("GET", "/task/nobody", JSON, b"")),
        (None, ("DELETE", f"/task/{ID}", JSON, b"")),
        (Missing.GONE, ("DELETE", f"/task/{ID}", JSON, b"")),
        (None, ("PUT", f"/task/{ID}", JSON, b"")),
        (SUCCEEDED, ("HEAD", f"/task/{ID}", JSON, b"")),
        (None, ("OPTIONS", f"/task/{ID}", JSON, b"")),
        (None, ("GET", "/task/", JSON, b"")),
        (None, ("GET", f"/task/{ID}/", JSON, b"")),
        (None, ("GET", f"/x/task/{ID}", JSON, b"")),
        (None, ("GET", "/livez", {}, b"")),
    ],
)
def test_what_is_answered_is_the_same(app: App, ledger: Scripted, found: Any, asked: Asked) -> None:
    ledger.found = found
    through_lane, through_framework = serve(app.serve, *asked), serve(app.framework, *asked)
    assert through_lane == through_framework
    assert through_lane[0]["type"] == "http.response.start"
    assert dict(through_lane[0]["headers"])[b"x-request-id"] == b"same"


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/task/echo", "echo"),
        ("GET", f"/task/{ID}", ID),
        ("DELETE", f"/task/{ID}", ID),
        ("HEAD", f"/task/{ID}", ""),
        ("PUT", f"/task/{ID}", ""),
        ("POST", f"/task/{ID}/cancel", ""),
        ("GET", "/task/", ""),
        ("POST", "/task", ""),
        ("GET", f"/tasks/{ID}", ""),
        ("GET", f"/x/task/{ID}", ""),
    ],
)
def test_only_what_is_certain_goes_down_the_lane(method: str, path: str, name: str) -> None:
    assert task_or_model({"type": "http", "method": method, "path": path}) == name


def test_what_is_no_request_goes_to_the_framework() -> None:
    assert task_or_model({"type": "lifespan"}) == ""
