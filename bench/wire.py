"""HTTP as bytes: requests encoded once, answers parsed no further than their end. Pure, and cheap on purpose."""

from dataclasses import dataclass

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"


class WireError(Exception):
    """What came back is nothing that this client reads."""


@dataclass(slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes


def get(path: str, *headers: str) -> bytes:
    """Return a GET of `path` as it goes over the wire."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    return "\r\n".join(lines).encode() + HEAD_END


def delete(path: str) -> bytes:
    """Return a DELETE of `path` as it goes over the wire."""
    return f"DELETE {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """Return a POST of JSON to `path` as it goes over the wire."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + HEAD_END + body


def parse(received: bytes) -> Answer | None:
    """Return the answer that `received` is, or None while its end is missing. One answer at a time: no pipelining.

    Raises:
        WireError: it has no Content-Length, or more came than one answer.
    """
    head_end = received.find(HEAD_END)
    if head_end < 0:
        return None
    body_start = head_end + len(HEAD_END)
    missing = body_start + length(received, head_end) - len(received)
    if missing < 0:
        raise WireError(f"more than one answer: {received[:500]!r}")
    return None if missing else Answer(int(received[9:12]), received[body_start:])


def length(received: bytes, head_end: int) -> int:
    """Return the Content-Length of an answer whose head ends there.

    Raises:
        WireError: it has none.
    """
    if received[9:12] in (b"204", b"304"):  # which have no body
        return 0
    at = received.find(LENGTH, 0, head_end)
    if at < 0:  # not as uvicorn spells it
        at = received[:head_end].lower().find(LENGTH)
    if at < 0:
        raise WireError(f"an answer without Content-Length: {received[:500]!r}")
    line_end = received.find(b"\r\n", at)
    return int(received[at + len(LENGTH) : line_end])
