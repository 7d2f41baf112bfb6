"""One connection to an API, for a thread that waits for each answer: cheap, and answers may be of any size."""

import socket
import time

from bench.wire import HEAD_END, Answer, length

PATIENCE = 60.0
CHUNK = 1 << 20


class LineError(Exception):
    """The server hung up, or answered what nobody asked for."""


class Line:
    """A socket, and what is asked over it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> Answer:
        """Send a request; return the answer.

        Raises:
            LineError: the server hung up.
        """
        self._socket.sendall(request)
        head = b""
        while (end := head.find(HEAD_END)) < 0:
            head += self._more()
        start = end + len(HEAD_END)
        parts, missing = [head[start:]], length(head, end) - (len(head) - start)
        while missing > 0:
            parts.append(self._more())
            missing -= len(parts[-1])
        return Answer(int(head[9:12]), b"".join(parts))

    def timed(self, request: bytes, *, status: int = 200) -> tuple[float, Answer]:
        """Return how many seconds it took, and the answer.

        Raises:
            LineError: it is none with this status.
        """
        began = time.perf_counter()
        answer = self.ask(request)
        seconds = time.perf_counter() - began
        if answer.status != status:
            raise LineError(f"{answer.status} instead of {status}: {answer.body[:500]!r}")
        return seconds, answer

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _more(self) -> bytes:
        chunk = self._socket.recv(CHUNK)
        if not chunk:
            raise LineError("the server hung up")
        return chunk
