"""What is sent of a large result: itself, and no copy."""

import asyncio
import json
from dataclasses import replace

from starlette.types import Message

from api.answering import Answer, answer
from api.document import render, render_parts
from shared.ledger.payload import LARGE_BYTES
from tests.unit.api.examples import SUCCEEDED

LARGE = replace(SUCCEEDED, result=b'{"text":"%b"}' % (b"x" * LARGE_BYTES))


def messages(answer: Answer) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    asyncio.run(answer({"type": "http"}, receive, send))
    return sent


def test_a_large_result_is_sent_as_it_is() -> None:
    start, *parts = messages(answer(LARGE, {}))

    assert [part["body"] is LARGE.result for part in parts] == [False, True, False]
    assert [part.get("more_body", False) for part in parts] == [True, True, False]
    body = b"".join(part["body"] for part in parts)
    assert json.loads(body)["result"]["text"] == "x" * LARGE_BYTES
    assert (b"content-length", b"%d" % len(body)) in start["headers"]


def test_a_small_one_is_sent_in_one_piece() -> None:
    start, *parts = messages(answer(SUCCEEDED, {}))

    assert [part["body"] for part in parts] == [render(SUCCEEDED)]
    assert (b"content-length", b"%d" % len(render(SUCCEEDED))) in start["headers"]


def test_the_parts_of_a_document_are_the_document() -> None:
    assert b"".join(render_parts(LARGE)) == render(LARGE)
    assert len(render_parts(SUCCEEDED)) == 1


def test_no_body_is_no_length() -> None:
    start, body = messages(Answer(304, {}))

    assert start["headers"] == []
    assert body["body"] == b""
