"""When two submits with one key are the same, and what it takes to find out."""

import tracemalloc

from pydantic import BaseModel

from api.idempotency import make_key


class Input(BaseModel):
    text: str
    times: int = 1


def fingerprint(body: bytes) -> str:
    return make_key("key", "echo", Input.model_validate_json(body), body, {"priority": 1}).fingerprint


def test_what_the_model_reads_as_the_same_is_the_same() -> None:
    assert fingerprint(b'{"text":"a"}') == fingerprint(b'{ "times": 1, "text": "\\u0061" }')
    assert fingerprint(b'{"text":"a"}') != fingerprint(b'{"text":"b"}')


def test_a_fingerprint_is_what_it_was_before_an_upgrade() -> None:
    assert fingerprint(b'{"text":"a"}') == "199379864c34332d02b09bd76068f2633f88e7081f82dc694966c7f2edb7552f"


def test_a_large_input_is_written_once() -> None:
    body = b'{"text":"%b"}' % (b"x" * 1_000_000)
    input = Input.model_validate_json(body)
    tracemalloc.start()
    try:
        make_key("key", "echo", input, body, {})
        assert tracemalloc.get_traced_memory()[1] < 1.5 * len(body)
    finally:
        tracemalloc.stop()
