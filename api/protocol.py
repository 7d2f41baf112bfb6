"""The protocol: HTTP/1.1 as uvicorn reads it, with an end to what a client may do with a connection.

uvicorn times a connection between two requests and at no other moment, and takes headers of any length. Here

* a request's headers have `seconds` to come whole, and HEAD_BYTES: else 408 or 431;
* a body brings PACE bytes a second, counted over `seconds`, or is whole before: else 408. By pace rather than in all,
  since a large body over a poor line is in order; none holds a connection for longer than its size divided by PACE;
* an answer that nobody reads is dropped when nothing of it could be written for READER_PATIENCE times `seconds`: the
  kernel takes it in lumps, so a slow reader may seem to stand still for a while;
* what cannot be read as HTTP gets a problem document, as every other error;
* a wish for another protocol is passed over, body and all (Java's client wishes for HTTP/2 with its first request; the
  parser would take the body for another request), and so are trailers, which must not count as headers.

A request that comes in one piece costs no timer: one is set only when a read ends in the middle of a request. All of
this takes 6 us of a request's time.
"""

import asyncio
import enum

import httptools
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.envelope import marks, request_id
from api.problems import Problem, head_too_large, malformed, response, too_slow
from api.reader import Reader
from api.writer import Writer

HEAD_BYTES = 64 * 1024
PACE = 1024  # bytes a second; the poorest mobile line has four times that
READER_PATIENCE = 3
LET_GO_SECONDS = 5.0  # how long a stopping server waits for whoever neither sends on nor reads


class Phase(enum.Enum):
    """What of a request is coming."""

    HEAD = enum.auto()  # or nothing yet
    BODY = enum.auto()
    WHOLE = enum.auto()  # nothing more of it: the application works, or uvicorn's keep-alive timer runs


HEAD, BODY, WHOLE = Phase


class BadHeadError(Exception):
    """Stops the parser."""


class Protocol(HttpToolsProtocol):
    """One connection."""

    seconds = 20.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin: the first request's headers are waited for from now on."""
        super().connection_made(transport)
        self._phase = HEAD
        self._is_upgrade = False
        self._came = 0  # bytes of this request, or of its body in this span of time
        self._apart = 0  # bytes since the request began, or since the last of its body: headers, trailers, chunk sizes
        self._sending: asyncio.TimerHandle | None = self.loop.call_later(self.seconds, self._on_time)
        self._reader = Reader(transport, self.loop, READER_PATIENCE * self.seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop_sending_timer()
        self._reader.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and see to it that the rest comes in time."""
        self._unset_keepalive_if_required()
        if self._phase is WHOLE:  # a next request begins, even if only with an empty line
            self._begin(HEAD)
        self._came += len(data)
        self._apart += len(data)
        self._feed(data)
        if self._phase is WHOLE or self.transport.is_closing():
            return
        if self._apart > HEAD_BYTES:
            self._refuse(head_too_large(HEAD_BYTES))
        elif self._sending is None:
            self._sending = self.loop.call_later(self.seconds, self._on_time)

    def on_message_begin(self) -> None:
        """Begin a request, which may be in the middle of what was read."""
        super().on_message_begin()
        self._phase = HEAD

    def on_headers_complete(self) -> None:
        """Start the application, which does not wait for the body."""
        self._is_upgrade = self.parser.should_upgrade()
        self._check_head()
        if self._is_upgrade:
            return  # it is read again, without
        super().on_headers_complete()
        self.cycle.transport = Writer(self.transport, self.loop)  # type: ignore[assignment]  # what a cycle uses of it
        self.headers = []  # what follows are trailers
        self._begin(BODY)

    def on_body(self, body: bytes) -> None:
        """Hand on a part of the body."""
        self._apart = 0  # what this read brings after it is not counted: the parser does not say where the part ended
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for nothing more of this request."""
        if not self._is_upgrade:
            super().on_message_complete()
            self._begin(WHOLE)

    def on_response_complete(self) -> None:
        """Go on to the next request; what is left of an answer must be read, and of a body must come."""
        super().on_response_complete()
        self._reader.watch()
        if self._phase is BODY and self._sending is not None:
            self._stop_sending_timer()
            self._sending = self.loop.call_later(self.seconds, self._on_time)

    def pause_writing(self) -> None:
        """Let the application wait for a client that does not keep up, but not for ever."""
        super().pause_writing()
        self._reader.watch()

    def resume_writing(self) -> None:
        """Go on: the client keeps up again."""
        self._reader.leave()
        super().resume_writing()

    def shutdown(self) -> None:
        """Begin to stop: requests under way may end, but clients that do nothing are not waited for."""
        super().shutdown()
        self.loop.call_later(LET_GO_SECONDS, self._let_go)

    def _begin(self, phase: Phase) -> None:
        self._stop_sending_timer()
        self._phase = phase
        self._came = self._apart = 0

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._head_without_upgrade() + data[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
            except httptools.HttpParserError:
                self._refuse(head_too_large(HEAD_BYTES) if self._is_head_too_large() else malformed())
                return
            else:
                return

    def _head_without_upgrade(self) -> bytes:
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (self.parser.get_method(), self.url, b"".join(lines))

    def _check_head(self) -> None:
        """Stop if the head is too large, or no server may take it (RFC 9112, 3.2; a tunnel is not to be had)."""
        hosts = [name for name, _ in self.headers].count(b"host")
        if hosts > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
            raise BadHeadError
        if self._is_upgrade and self.parser.get_method() == b"CONNECT":
            raise BadHeadError
        if self._is_head_too_large():
            raise BadHeadError

    def _is_head_too_large(self) -> bool:
        if self._phase is not HEAD or self._apart <= HEAD_BYTES:
            return False
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES

    def _on_time(self) -> None:
        self._sending = None
        if self.transport.is_closing():
            return
        if self._phase is HEAD:
            self._on_head_late()
        elif self._phase is BODY:
            self._on_body_span()

    def _on_head_late(self) -> None:
        if self._came or self.cycle is not None:
            self._refuse(too_slow(self.seconds, PACE))
        else:
            self.transport.close()  # it sent nothing, so it asked nothing

    def _on_body_span(self) -> None:
        if self.cycle.response_complete:  # it was refused early, and has had time to see that
            self._end()
        elif self.flow.read_paused or self._came >= PACE * self.seconds:  # paused: it is not the client who is slow
            self._came = 0
            self._sending = self.loop.call_later(self.seconds, self._on_time)
        else:
            self._refuse(too_slow(self.seconds, PACE))

    def _refuse(self, problem: Problem) -> None:
        """Answer with `problem` and close, unless the client would take that for the answer to something else."""
        cycle = self.cycle
        if self._phase is BODY:
            if cycle.response_started or self.pipeline:
                self._end()
                return
            cycle.disconnected = True  # the application, waiting for the rest of the body, hears that nobody is there
            cycle.message_event.set()
        elif cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False  # an earlier request came whole: it is answered, and the connection ends with that
            return
        # An empty `instance` is the URI that was asked for, whichever that was (RFC 3986, 4.4).
        scope = {**self.scope} if self._phase is BODY else {"path": "", "headers": []}
        self.transport.write(b"".join(self._answer(problem, scope)))
        self._end()

    def _answer(self, problem: Problem, scope: Scope) -> list[bytes]:
        answer, id = response(problem, scope), request_id(scope)
        headers = [*self.server_state.default_headers, *answer.raw_headers, *marks(id), (b"connection", b"close")]
        lines = [part for name, value in headers for part in (name, b": ", value, b"\r\n")]
        return [STATUS_LINE[answer.status_code], *lines, b"\r\n", bytes(answer.body)]

    def _end(self) -> None:
        self.transport.close()
        self._reader.watch()

    def _let_go(self) -> None:
        if self._phase is BODY or self._reader.is_behind:
            self.transport.abort()

    def _stop_sending_timer(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None


def timed(limit: float) -> type[Protocol]:
    """Return the protocol that gives a client `limit` seconds. A class, since that is what uvicorn takes."""

    class Timed(Protocol):
        seconds = limit

    return Timed
