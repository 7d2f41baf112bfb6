"""Requests that no HTTP client would send: bytes on a socket, and what comes back."""

import re
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from api.problems import ProblemDocument
from tests.integration.api.process import Api

HOST = b"Host: penstock\r\n"
JSON = b"Content-Type: application/json\r\n"
ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r]*\r\n(.*?)\r\n\r\n", re.DOTALL)


@dataclass
class Answer:
    """One answer: its head, and as much of its body as Content-Length says."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Heard:
    """What came back, and whether the server closed."""

    data: bytes = b""
    closed: bool = False
    answers: list[Answer] = field(default_factory=list)

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.answers]


def connect(api: Api, *, receive_buffer: int | None = None) -> socket.socket:
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.connect((api.http.base_url.host, api.http.base_url.port))
    return connection


def exchange(api: Api, data: bytes, *, answers: int = 1, within: float = 10.0) -> Heard:
    """Send `data` on a new connection; return what came, after so many answers or when the server closes."""
    with connect(api) as connection:
        try:
            connection.sendall(data)
        except OSError:  # it closed while we were sending; what it said may still be there
            return Heard(closed=True)
        return hear(connection, answers=answers, within=within)


def hear(connection: socket.socket, *, answers: int = 1, within: float = 10.0) -> Heard:
    """Read until so many whole answers have come, or the end; fail if neither comes in time."""
    heard = Heard()
    until = time.monotonic() + within
    while len(heard.answers) < answers:
        connection.settimeout(max(0.001, until - time.monotonic()))
        try:
            more = connection.recv(1 << 20)
        except ConnectionError:
            more = b""
        if not more:
            heard.closed = True
            break
        heard.data += more
        heard.answers = _parse(heard.data)
    return heard


def is_closed(connection: socket.socket, *, within: float) -> bool:
    """Tell whether the server closes without another word."""
    connection.settimeout(within)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def document(answer: Answer, kind: str | None) -> ProblemDocument:
    """Return the problem document of `answer`, having checked it."""
    assert answer.headers["content-type"] == "application/problem+json", answer
    assert answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    found = ProblemDocument.model_validate_json(answer.body)
    assert found.status == answer.status
    assert found.type == (f"urn:penstock:problem:{kind}" if kind else "about:blank")
    return found


def post(body: bytes, *headers: bytes, path: bytes = b"/task/echo") -> bytes:
    """Return a submit with its length declared."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"POST %b HTTP/1.1\r\n%b%b%bContent-Length: %d\r\n\r\n%b" % (path, HOST, JSON, lines, len(body), body)


def chunked(chunks: bytes, *headers: bytes) -> bytes:
    """Return a submit whose body is `chunks`, sizes and all."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"POST /task/echo HTTP/1.1\r\n%b%b%bTransfer-Encoding: chunked\r\n\r\n%b" % (HOST, JSON, lines, chunks)


def get(path: bytes, *headers: bytes, host: bytes = HOST) -> bytes:
    """Return a GET."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path, host, lines)


def _parse(data: bytes) -> list[Answer]:
    found: list[Answer] = []
    while head := ANSWER.match(data):
        pairs = (line.partition(": ") for line in head[2].decode("latin-1").split("\r\n"))
        headers: dict[str, Any] = {name.lower(): value for name, _, value in pairs}
        length, rest = int(headers.get("content-length", 0)), data[head.end() :]
        if len(rest) < length:
            break
        if int(head[1]) != 100:
            found.append(Answer(int(head[1]), headers, rest[:length]))
        data = rest[length:]
    return found
