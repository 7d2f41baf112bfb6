"""What every answer has, whatever it answers: a request's id, safe headers, and never a bare failure."""

import re
from secrets import token_hex
from time import perf_counter

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metering import Metering
from api.problems import INTERNAL_ERROR, Problem, body_too_large, response
from shared.log import SERVED

log = structlog.get_logger()
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")


class BrokenOffError(RuntimeError):
    """An answer that had begun cannot be brought to its end."""


class Envelope:
    """Outermost: gives each answer X-Request-ID and nosniff, and turns whatever escapes into a 500 problem.

    Every line of the log that is written meanwhile has that id, too.

    Plain ASGI, not an exception handler for Exception: the framework runs that outside of every middleware, where its
    answer would have no id.
    """

    def __init__(self, app: ASGIApp, metering: Metering) -> None:
        self._app = app
        self._metering = metering
        self._log = structlog.get_logger().bind()  # not what stands for it: nothing for debugging costs 0.3 us then

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id = request_id(scope)
        SERVED.set(id)  # not taken back: each request has a context of its own, which ends with it
        extra = marks(id)
        began, started = perf_counter(), False

        async def send_more(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._metering.answered(scope, message["status"], perf_counter() - began)
                # Not the query: it may hold a callback's URL.
                self._log.debug("answered", method=scope["method"], path=scope["path"], status=message["status"])
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        try:
            await self._app(scope, receive, send_more)
        except ClientDisconnect:  # while its body was being read: there is nobody to answer
            return
        except Exception as error:  # noqa: BLE001 (whatever nobody foresaw: the client gets a 500, the log the reason)
            # Not log.exception, whose traceback has the exception's text: it may quote the input.
            log.error("a request failed", method=scope["method"], path=scope["path"], failure=error)  # noqa: TRY400
            if started:  # too late for an answer; the server closes the connection, and logs what it is told
                raise BrokenOffError("an answer broke off; the line before says why") from None
            await response(_failure(id), scope)(scope, receive, send_more)


class BodyLimit:
    """Refuses a body that is too large: before reading it if it declares its length, else once it has grown too large.

    Not FastAPI's max_body_size, which answers in plain text and lets no handler change that.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif declared_length(scope) > self._limit:
            await response(body_too_large(self._limit), scope)(scope, receive, send)
        else:
            await self._app(scope, self._counting(receive), send)

    def _counting(self, receive: Receive) -> Receive:
        size = 0

        async def receive_within_limit() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._limit:
                raise body_too_large(self._limit)
            return message

        return receive_within_limit


def request_id(scope: Scope) -> bytes:
    """Return the client's X-Request-ID if it is fit for a log and a header, else a new one."""
    given = _header(scope, b"x-request-id")
    return given if given is not None and REQUEST_ID.fullmatch(given) else token_hex(16).encode()


def marks(id: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers that every answer has."""
    return (b"x-request-id", id), (b"x-content-type-options", b"nosniff")


def declared_length(scope: Scope) -> int:
    """Return the Content-Length; 0 if there is none."""
    given = _header(scope, b"content-length")
    return int(given) if given is not None and given.isdigit() else 0


def _failure(id: bytes) -> Problem:
    return Problem(INTERNAL_ERROR, f"The log has the reason, under request id {id.decode()}.")


def _header(scope: Scope, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key == name), None)
