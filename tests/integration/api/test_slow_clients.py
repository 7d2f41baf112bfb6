"""Clients that take their time: to send a request, or to read its answer. None may hold a connection for ever.

What is tested here is time itself, so these tests do sleep: as the slow client does.
"""

import contextlib
import socket
import time
from collections.abc import Iterator

import httpx2
import pytest

from shared.ledger.connection import Ledger
from tests.integration.api.process import MAX_BODY_BYTES, Api
from tests.integration.api.raw import HOST, JSON, connect, document, exchange, get, hear, is_closed, post
from tests.integration.api.requests import HELLO, submit, succeed
from tests.redis_server import RedisServer

SECONDS = 1.0
SOON = 5 * SECONDS
KEEP_ALIVE_SECONDS = 5.0  # uvicorn's own
START = b"POST /task/echo HTTP/1.1\r\n" + HOST + JSON
DECLARED = START + b"Content-Length: 1000\r\n\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def hasty(server: RedisServer, models: str) -> Iterator[Api]:
    """An API that waits for nobody for long."""
    api = start(server, models)
    yield api
    assert api.close() == 0
    assert "Traceback" not in "".join(api.log)


def start(server: RedisServer, models: str) -> Api:
    return Api(
        PENSTOCK_REDIS_URL=server.url,
        PENSTOCK_MODELS=models,
        PENSTOCK_MAX_BODY_BYTES=str(MAX_BODY_BYTES),
        PENSTOCK_REQUEST_SECONDS=str(SECONDS),
    )


def drip(connection: socket.socket, data: bytes, every: float) -> None:
    """Send byte by byte, until all is sent or nobody takes it."""
    connection.settimeout(every)
    for n in range(len(data)):
        with contextlib.suppress(TimeoutError):
            if connection.recv(1, socket.MSG_PEEK) is not None:
                return
        try:
            connection.sendall(data[n : n + 1])
        except OSError:
            return


def test_who_says_nothing_is_let_go(hasty: Api) -> None:
    with connect(hasty) as connection:
        assert is_closed(connection, within=SOON)


@pytest.mark.parametrize(
    "data",
    [b"G", b"GET /livez HTTP/1.1\r\n", START, START + b"Content-Length: 5\r\n", b"\r\n"],
    ids=["letter", "line", "headers", "almost", "empty line"],
)
def test_headers_that_stay_out_are_408(hasty: Api, data: bytes) -> None:
    with connect(hasty) as connection:
        connection.sendall(data)
        heard = hear(connection, answers=2, within=SOON)

    assert heard.closed
    assert heard.statuses == [408]
    document(heard.answers[0], "request-timeout")


def test_headers_that_come_drop_by_drop_are_408(hasty: Api) -> None:
    with connect(hasty) as connection:
        drip(connection, START, SECONDS / 10)
        assert hear(connection, answers=2, within=SOON).statuses == [408]


@pytest.mark.parametrize("head", [DECLARED, CHUNKED], ids=["declared", "chunked"])
@pytest.mark.parametrize("start", [b"", b'5\r\n{"tex'], ids=["none", "some"])
def test_a_body_that_stays_out_is_408(hasty: Api, head: bytes, start: bytes) -> None:
    with connect(hasty) as connection:
        connection.sendall(head + start)
        heard = hear(connection, answers=2, within=SOON)

    assert heard.closed
    assert heard.statuses == [408]
    found = document(heard.answers[0], "request-timeout")
    assert found.instance.startswith("/task/")
    assert hasty.http.get("/models/echo").json()["queue"]["queued"] == 0


def test_a_body_that_comes_drop_by_drop_is_408(hasty: Api) -> None:
    with connect(hasty) as connection:
        connection.sendall(DECLARED)
        drip(connection, b" " * 1000, SECONDS / 10)
        heard = hear(connection, answers=2, within=SOON)

    assert heard.closed
    assert heard.statuses == [408]


def test_a_body_that_comes_slowly_but_steadily_is_taken(hasty: Api) -> None:
    body = b'{"text": "%b"}' % (b"a" * 15_000)
    began = time.monotonic()
    with connect(hasty) as connection:
        request = post(body)
        for n in range(0, len(request), 1500):  # 5 KB a second, for three times as long as headers may take
            connection.sendall(request[n : n + 1500])
            time.sleep(0.3 * SECONDS)
        assert time.monotonic() - began > 2 * SECONDS
        assert hear(connection).statuses == [202]


def test_a_body_that_was_refused_early_may_not_go_on_for_ever(hasty: Api) -> None:
    with connect(hasty) as connection:
        connection.sendall(START + b"Content-Length: 1000000000\r\n\r\n")
        assert hear(connection).statuses == [413]
        drip(connection, b" " * 1000, SECONDS / 10)  # each would put off uvicorn's own timer
        assert is_closed(connection, within=SOON)


def test_the_next_request_has_its_own_time(hasty: Api) -> None:
    with connect(hasty) as connection:
        for _ in range(3):
            connection.sendall(get(b"/livez"))
            assert hear(connection).statuses == [200]
            time.sleep(0.7 * SECONDS)
        connection.sendall(b"GET /livez")
        assert hear(connection, answers=2, within=SOON).statuses == [408]


def test_between_two_requests_there_is_time_and_no_408(hasty: Api) -> None:
    with connect(hasty) as connection:
        connection.sendall(get(b"/livez"))
        assert hear(connection).statuses == [200]
        assert not is_closed(connection, within=3 * SECONDS)
        heard = hear(connection, within=2 * KEEP_ALIVE_SECONDS)
    assert (heard.closed, heard.data) == (True, b"")


def test_a_long_answer_is_not_a_slow_request(hasty: Api) -> None:
    id = submit(hasty.http)["task_id"]
    with connect(hasty) as connection:
        connection.sendall(get(b"/task/%b?wait=3" % id.encode()) + b"GET /livez")  # and a next one that never ends
        heard = hear(connection, answers=2)
    assert heard.closed
    assert heard.statuses == [200]


def test_an_answer_that_nobody_reads_is_dropped(hasty: Api, ledger: Ledger) -> None:
    id = submit(hasty.http)["task_id"]
    succeed(ledger, id, b'{"text": "%b"}' % (b"a" * 15_000_000))
    with connect(hasty, receive_buffer=4096) as connection:
        connection.sendall(get(b"/task/%b" % id.encode()))
        time.sleep(5 * SECONDS)  # three seconds without progress are too many
        heard = hear(connection, within=SOON)
    assert heard.closed
    assert len(heard.data) < 15_000_000


def test_an_answer_that_is_read_slowly_comes_whole(hasty: Api, ledger: Ledger) -> None:
    id = submit(hasty.http)["task_id"]
    succeed(ledger, id, b'{"text": "%b"}' % (b"a" * 8_000_000))
    came = 0
    with connect(hasty, receive_buffer=65536) as connection:
        connection.sendall(get(b"/task/%b" % id.encode(), b"Connection: close"))
        connection.settimeout(SOON)
        while more := connection.recv(400_000):
            came += len(more)
            time.sleep(0.05)
    assert came > 8_000_000


def test_many_slow_clients_hold_up_nobody(hasty: Api) -> None:
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(hasty)) for _ in range(200)]
        for connection, data in zip(slow, [b"", b"GET /", DECLARED, CHUNKED] * 50, strict=True):
            connection.sendall(data)
        for _ in range(20):
            assert exchange(hasty, post(b'{"text": "a"}'), within=SOON).statuses == [202]
        statuses = [hear(connection, answers=2, within=SOON).statuses for connection in slow]
    assert statuses == [[], [408], [408], [408]] * 50


def test_slow_clients_do_not_keep_it_from_ending(server: RedisServer, models: str, ledger: Ledger) -> None:
    api = Api(PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models)  # with the usual 20 s
    done, waiting = submit(api.http)["task_id"], submit(api.http, body=HELLO)["task_id"]
    succeed(ledger, done, b'{"text": "%b"}' % (b"a" * 15_000_000))
    with contextlib.ExitStack() as stack:
        read, follow = get(b"/task/%b" % done.encode()), get(b"/task/%b/events" % waiting.encode())
        for data in (b"", b"GET /", DECLARED, CHUNKED, read, follow):
            connection = stack.enter_context(connect(api, receive_buffer=4096))
            connection.sendall(data)
        time.sleep(0.5)
        began = time.monotonic()
        assert api.close() == 0
        assert time.monotonic() - began < 9  # before uvicorn would cancel what is left
    assert "Traceback" not in "".join(api.log)


def test_the_openapi_document_tells_it(http: httpx2.Client) -> None:
    assert "408" in http.get("/openapi.json").json()["paths"]["/task/echo"]["post"]["responses"]
