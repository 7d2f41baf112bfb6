import json

from bench.burden import Burden, id_in, large_submit, text
from bench.payloads import row
from bench.wire import HEAD_END, Answer, delete, get, parse


def test_a_text_has_its_size_and_is_the_same_every_time() -> None:
    assert len(text(1001)) == 1001
    assert text(1001) == text(1001)


def test_a_large_submit_is_json() -> None:
    body = large_submit(1000).partition(HEAD_END)[2]
    assert len(json.loads(body)["text"]) == 1000


def test_the_id_is_read_from_the_answer() -> None:
    assert id_in(Answer(202, b'{"task_id":"a-b","status":"queued"}')) == "a-b"


def test_a_burden_is_named_by_what_goes_on() -> None:
    assert [str(Burden()), str(Burden(1, "submit")), str(Burden(4, "download"))] == [
        "nothing",
        "1 large submit",
        "4 large downloads",
    ]


def test_small_requests_are_compared_with_those_that_nothing_was_in_the_way_of() -> None:
    assert row([0.002, 0.004], [0.001, 0.001]) == [2, 3.0, 3.0, 4.0, 4.0, 4.0]


def test_an_answer_that_may_have_no_body_has_no_length() -> None:
    assert parse(b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n") == Answer(304, b"")


def test_requests_are_written_out() -> None:
    assert get("/a", "If-None-Match: *") == b"GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\nIf-None-Match: *\r\n\r\n"
    assert delete("/a") == b"DELETE /a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
