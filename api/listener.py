"""Listening: the socket, and the server that answers on it until it is told to stop."""

import asyncio
import contextlib
import errno
import logging
import resource
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from api.protocol import timed

BACKLOG = 2048
GRACE_SECONDS = 10  # how long a stopping server waits for requests under way


class ListenError(Exception):
    """The address cannot be listened on. The message names the setting to change."""


def allow_many_connections() -> None:
    """Let this process have as many open files, and so connections, as it is allowed to ask for.

    Most systems start one with 1,024, and expect it to ask: only who calls select() must not, and nothing here does.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS says unlimited, and grants less
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    The server is handed a listening socket, rather than an address, so that a port in use is found out here.

    Raises:
        ListenError: the port is taken or forbidden, or this machine has no such address.
    """
    listener = bind(host, port)
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ListenError(_complaint(error, host, port)) from error
    return listener


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that has an address, and on which nobody listens yet.

    Raises:
        ListenError: the port is taken or forbidden, or this machine has no such address.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ListenError(f"PENSTOCK_API_HOST: {host} is no address of this machine ({error.strerror})") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise ListenError(_complaint(error, host, port)) from error
    return listener


class Server(uvicorn.Server):
    """Tells who waits for a task when it is asked to stop: uvicorn would let open streams hold it up."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; called as a signal handler, so in the middle of anything."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._on_stop)
        super().handle_exit(sig, frame)


def make_server(app: ASGIApp, on_stop: Callable[[], None], request_seconds: float) -> Server:
    """Return the server of `app`; its logs go where the process's go. `on_stop` is called when it begins to stop.

    `request_seconds` is how long it waits for clients who are slow to send: see Protocol.
    """
    return Server(
        uvicorn.Config(
            app,
            http=timed(request_seconds),
            log_config=None,
            log_level=logging.WARNING,  # the entry point says where it listens, in one line rather than four
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="on",
            backlog=BACKLOG,
            timeout_graceful_shutdown=GRACE_SECONDS,
        ),
        on_stop,
    )


def stop_with_success() -> None:
    """Make SIGTERM and SIGINT end this process with exit code 0.

    While the server runs it has handlers of its own, which let requests finish; then it raises the signal again, and
    the default handler would end the process as killed.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)


def url(listener: socket.socket) -> str:
    """Return where `listener` is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"


def _exit(*_: object) -> None:
    raise SystemExit(0)


def _complaint(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRNOTAVAIL:
        return f"PENSTOCK_API_HOST: {host} is no address of this machine"
    if error.errno == errno.EADDRINUSE:
        return f"PENSTOCK_API_PORT: {port} is in use on {host}"
    return f"PENSTOCK_API_PORT: {port} on {host}: {error.strerror}"
