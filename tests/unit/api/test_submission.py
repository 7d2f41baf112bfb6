import asyncio
import tracemalloc
from typing import Any

import pytest
from starlette.requests import Request

from api.submission import NO_NUMBER, SUSPECTS, has_no_number, is_json, read_body


@pytest.mark.parametrize(
    ("content_type", "accepted"),
    [
        ("application/json", True),
        ("Application/JSON; charset=UTF-8", True),
        ('application/json;charset="utf-8"', True),
        ("application/vnd.example+json", True),
        ("application/json; profile=x", True),
        ("application/json; charset=latin-1", False),
        ("text/json", False),
        ("application/jsonp", False),
        ("application/x-www-form-urlencoded", False),
        ("", False),
    ],
)
def test_only_json_in_utf_8_is_accepted(content_type: str, accepted: bool) -> None:
    assert is_json(content_type) is accepted


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"NaN", True),
        (b'{"a": -Infinity}', True),
        (rb'{"a": "\\", "b": NaN}', True),
        (rb'{"NaN": "\" NaN", "a": "Infinity"}', False),
        (b'{"a": "NaN', False),  # broken in another way, which pydantic tells better
        (b'["NaN",' + b'"",' * 1_000_000 + b"1]", False),
    ],
    ids=["alone", "negative", "after a text", "in texts", "cut off", "long"],
)
def test_nan_is_found_where_it_is_no_text(body: bytes, found: bool) -> None:
    assert bool(NO_NUMBER.match(body)) is found


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize(
    "around", ["%s", " %s", "[%s]", "[1,%s]", "[1, %s]", '{"a":%s}', '{"a":\t%s}', '{"a":\n%s}', '["NaN",\r%s]']
)
def test_no_number_is_missed_wherever_a_value_may_stand(word: str, around: str) -> None:
    assert has_no_number((around % word).encode())


@pytest.mark.parametrize("text", ["aNaN", "NaN", "a/Infinity+NaN", "äNaN", r"\"NaN"])
def test_a_word_that_cannot_be_a_value_is_not_looked_into(text: str) -> None:
    """Base64 has every word of three letters in it, and to go through megabytes of it would hold everybody up."""
    body = f'{{"image": "{text}"}}'.encode()
    assert not any(suspect.search(body) for suspect in SUSPECTS)
    assert not has_no_number(body)


def test_a_text_may_look_as_if_it_had_such_a_value() -> None:
    assert not has_no_number(b'{"a": "1, NaN", "b": ["Infinity"]}')


def test_to_see_that_a_body_is_not_empty_it_is_not_copied() -> None:
    request = Request({"type": "http", "headers": [(b"content-type", b"application/json")]})
    request._body = b" " + b"1" * 1_000_000 + b"\n"

    async def read(validate: Any) -> None:
        assert (await read_body(request, validate))[0] is request._body

    tracemalloc.start()
    try:
        asyncio.run(read(lambda _: None))
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()
