"""What the endpoints do with large inputs and results, of a ledger that does what a test says. The real one:
tests/integration/api/test_payloads.py."""

import asyncio
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from api.changes import Changes, Watch
from api.door import OWNER
from api.ledger import BoundedLedger
from api.problems import LEDGER_UNAVAILABLE, TASK_GONE, Problem, ledger_unavailable
from api.served import ServedModels
from api.tasks import TaskEndpoints
from shared.ledger.call import Call
from shared.ledger.payload import LARGE_BYTES
from shared.ledger.records import Replay
from shared.settings import Settings
from tests.unit.api.examples import QUEUED, SUCCEEDED

LARGE = replace(SUCCEEDED, result=None, left_out=LARGE_BYTES)


class Input(BaseModel):
    text: str


class Scripted:
    """A ledger whose calls are answered by the name of their script."""

    def __init__(self, **answers: Callable[[], Any]) -> None:
        self.answers = answers

    async def run(self, call: Call[Any]) -> Any:
        return self.answers[call.script]()


class Served:
    """One model."""

    validators: dict[str, Callable[[bytes], BaseModel]]
    urls: dict[str, tuple[str, ...]]

    def __init__(self, validate: Callable[[bytes], BaseModel] = Input.model_validate_json) -> None:
        self.validators = {"echo": validate}
        self.urls = {"echo": ()}
        self.time_limits = {"echo": 10.0}

    def require(self, name: str) -> str:
        return name


class NothingChanges:
    """Changes that nobody is told of."""

    closing = False

    @asynccontextmanager
    async def watching(self, _: str) -> AsyncGenerator[Watch, None]:
        yield Watch()


def endpoints(ledger: Scripted, served: Served | None = None) -> TaskEndpoints:
    return TaskEndpoints(
        cast("BoundedLedger", ledger),
        cast("Changes", NothingChanges()),
        cast("ServedModels", served or Served()),
        Settings(),
    )


def request(method: str, name: str, query: str = "") -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": b'{"text": "a"}', "more_body": False}

    scope = {
        "type": "http",
        "method": method,
        "path": f"/task/{name}",
        "path_params": {"name": name},
        "query_string": query.encode(),
        "headers": [(b"content-type", b"application/json")],
        OWNER: "",
    }
    return Request(scope, receive)


def run(answer: Awaitable[Response]) -> Response:
    async def main() -> Response:
        return await answer

    return asyncio.run(main())


def away() -> Any:
    raise ledger_unavailable()


def test_the_parsed_input_is_let_go_of_while_the_ledger_is_asked() -> None:
    inputs: list[weakref.ref[BaseModel]] = []

    def validate(body: bytes) -> BaseModel:
        input = Input.model_validate_json(body)
        inputs.append(weakref.ref(input))
        return input

    def submit() -> Any:
        assert [input() for input in inputs] == [None]
        return QUEUED

    answer = run(endpoints(Scripted(submit=submit), Served(validate)).post_read_or_forget(request("POST", "echo")))

    assert answer.status_code == 202


def test_a_result_that_leaves_after_its_task_was_read_is_gone() -> None:
    ledger = Scripted(read=lambda: LARGE, HGET=lambda: None)

    with pytest.raises(Problem) as found:
        run(endpoints(ledger).post_read_or_forget(request("GET", LARGE.id)))

    assert found.value.kind is TASK_GONE


@pytest.mark.parametrize("query", ["", "wait=1"])
def test_a_submit_that_comes_again_is_not_told_that_its_large_result_is_none(query: str) -> None:
    ledger = Scripted(submit=lambda: Replay(LARGE.id, LARGE), HGET=away)

    with pytest.raises(Problem) as found:
        run(endpoints(ledger).post_read_or_forget(request("POST", "echo", query)))

    assert found.value.kind is LEDGER_UNAVAILABLE
