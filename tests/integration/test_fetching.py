"""Inputs that come as URLs: fetched from where the operator allows, within limits, from a real server."""

import base64
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from models.ocr.schema import EXAMPLE
from shared.outward import parse_rules
from worker.fetching import Fetcher, FetchError

MAX_BYTES = 100_000
PAGE = base64.b64decode(EXAMPLE)
Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answer each connection with these parts, `pause` seconds apart; return the URL. What was asked is in `asked`."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked: list[bytes] = []
    threads: list[threading.Thread] = []

    def answer(parts: tuple[bytes, ...], pause: float) -> None:
        connection, _ = listener.accept()
        with connection:
            asked.append(connection.recv(65536))
            for part in parts:
                try:
                    connection.sendall(part)
                except OSError:  # it has heard enough
                    return
                time.sleep(pause)

    def begin(*parts: bytes, pause: float = 0.0) -> str:
        threads.append(threading.Thread(target=answer, args=(parts, pause)))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/page.png?a=b"

    begin.asked = asked  # type: ignore[attr-defined]
    yield begin
    for thread in threads:
        thread.join(20)
    listener.close()


def head(status: bytes = b"200 OK", **headers: str) -> bytes:
    lines = [b"HTTP/1.1 " + status, *(f"{name.replace('_', '-')}: {value}".encode() for name, value in headers.items())]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def fetcher(url: str) -> Fetcher:
    return Fetcher(parse_rules(url.partition("/page")[0]), MAX_BYTES)


def test_what_is_there_is_fetched_as_it_is(serve: Serve) -> None:
    url = serve(head(Content_Length=str(len(PAGE))), PAGE[:100], PAGE[100:])

    assert fetcher(url)(url) == PAGE

    (request,) = serve.asked  # type: ignore[attr-defined]
    lines = request.decode().lower().split("\r\n")
    assert lines[0] == "get /page.png?a=b http/1.1"
    assert f"host: {url.split('/')[2]}" in lines
    assert "accept-encoding: identity" in lines
    assert not any(line.startswith(("authorization", "cookie")) for line in lines)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((head(b"404 Not Found", Content_Length="0"),), "the URL answered 404"),
        ((head(b"302 Found", Location="http://127.0.0.1:1/inside", Content_Length="0"),), "the URL answered 302"),
        ((head(Content_Length="1000000"), b"x" * 100_001), "more than 100000 bytes"),
        (
            (head(Transfer_Encoding="chunked"), b"186a1\r\n" + b"x" * 100_001 + b"\r\n0\r\n\r\n"),
            "more than 100000 bytes",
        ),
        ((head(Content_Length="100"), b"cut short"), "could not be fetched"),
        ((b"SSH-2.0-OpenSSH_9.2\r\n",), "could not be fetched"),
        ((), "could not be fetched"),
    ],
)
def test_what_is_not_to_be_had_is_told_in_one_sentence(serve: Serve, answer: tuple[bytes, ...], said: str) -> None:
    url = serve(*answer)

    with pytest.raises(FetchError, match=said):
        fetcher(url)(url)


def test_a_body_that_trickles_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.fetching.WHOLE_SECONDS", 0.5)
    url = serve(head(Content_Length="100"), *[b"x"] * 20, pause=0.1)

    with pytest.raises(FetchError, match="took too long"):
        fetcher(url)(url)


def test_nothing_is_asked_that_is_not_allowed(serve: Serve) -> None:
    listening = fetcher("http://127.0.0.1:1/page")

    for url in ("http://127.0.0.1:2/", "http://127.0.0.1/", "file:///etc/passwd"):
        with pytest.raises(FetchError, match="was not fetched"):
            listening(url)
    with pytest.raises(FetchError, match="fetches nothing"):
        Fetcher((), MAX_BYTES)("https://example.com/")
    with pytest.raises(FetchError, match="not public"):
        Fetcher(parse_rules("http://*"), MAX_BYTES)("http://localhost/")
    assert serve.asked == []  # type: ignore[attr-defined]


def test_nobody_listens_there() -> None:
    with pytest.raises(FetchError, match="could not be fetched"):
        fetcher("http://127.0.0.1:1/page")("http://127.0.0.1:1/page.png")
