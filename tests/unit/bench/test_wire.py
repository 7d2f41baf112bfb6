import pytest

from bench.wire import Answer, WireError, get, parse, post

WHOLE = b'HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 7\r\nx: y\r\n\r\n{"a":1}'


def test_an_answer_is_its_status_and_its_body() -> None:
    assert parse(WHOLE) == Answer(202, b'{"a":1}')


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_an_answer_whose_end_is_missing_is_none_yet(cut: int) -> None:
    assert parse(WHOLE[:cut]) is None


def test_headers_may_be_spelt_in_any_case() -> None:
    assert parse(WHOLE.replace(b"content-length", b"Content-Length")) == Answer(202, b'{"a":1}')


def test_a_body_may_be_empty() -> None:
    assert parse(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") == Answer(200, b"")


def test_a_body_that_speaks_of_lengths_is_not_taken_for_a_header() -> None:
    with pytest.raises(WireError, match="without Content-Length"):
        parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\ncontent-length: 3\r\n\r\n")


def test_two_answers_at_once_are_not_what_was_asked_for() -> None:
    with pytest.raises(WireError, match="more than one"):
        parse(WHOLE + WHOLE)


def test_requests_are_whole() -> None:
    assert get("/task/1") == b"GET /task/1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    request = post("/task/noop", b'{"value": 1}')
    assert request.startswith(b"POST /task/noop HTTP/1.1\r\n")
    assert b"\r\nContent-Length: 12\r\n" in request.replace(b"\r\n\r\n", b"\r\n\r\n", 1)
    assert request.endswith(b'\r\n\r\n{"value": 1}')
