"""Many keep-alive connections in one thread, for as little CPU per request as Python allows.

What a connection does is a generator: it yields a request and is sent the answer, or yields seconds and is resumed
after them. One `epoll` waits for all.
"""

import heapq
import select
import socket
import time
from collections.abc import Generator, Iterable
from contextlib import ExitStack
from dataclasses import dataclass

from bench.wire import Answer, parse

Steps = Generator[bytes | float, Answer | None, None]
Sleeping = list[tuple[float, int]]  # when to resume, and the number of the connection's socket
CHUNK = 65536
PATIENCE = 60.0  # seconds without any event after which the server counts as hung


class LoopError(Exception):
    """The server hung up, or was silent for too long."""


@dataclass(slots=True, eq=False)
class Connection:
    """One socket, what it is doing, and the part of an answer that has come."""

    socket: socket.socket
    steps: Steps
    received: bytes = b""


def run(port: int, members: Iterable[Steps]) -> None:
    """Run every generator to its end, each on a connection of its own to this port of this machine.

    Raises:
        LoopError, or what a generator or the parser raises: it all ends there.
    """
    with ExitStack() as open_, select.epoll() as poll:
        connections = {}
        for steps in members:
            opened = open_.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connections[opened.fileno()] = Connection(opened, steps)
            poll.register(opened.fileno(), select.EPOLLIN)
        _drive(poll, connections)


def _drive(poll: select.epoll, connections: dict[int, Connection]) -> None:
    """Run until every connection is at its end; one that is may be hung up on by a server that finds it idle."""
    sleeping: Sleeping = []
    running = {number for number, each in connections.items() if _advance(each, None, sleeping)}
    while running:
        events = poll.poll(_pause(sleeping))
        if not events and not sleeping:
            raise LoopError(f"no answer within {PATIENCE:g} s")
        ended = [number for number, _ in events if _ends_with_what_came(connections[number], sleeping)]
        while sleeping and sleeping[0][0] <= time.monotonic():
            number = heapq.heappop(sleeping)[1]
            if not _advance(connections[number], None, sleeping):
                ended.append(number)
        for number in ended:
            running.discard(number)
            poll.unregister(number)


def _pause(sleeping: Sleeping) -> float:
    return max(0.0, sleeping[0][0] - time.monotonic()) if sleeping else PATIENCE


def _ends_with_what_came(connection: Connection, sleeping: Sleeping) -> bool:
    chunk = connection.socket.recv(CHUNK)
    if not chunk:
        raise LoopError("the server hung up")
    received = connection.received + chunk if connection.received else chunk
    answer = parse(received)
    if answer is None:
        connection.received = received
        return False
    connection.received = b""
    return not _advance(connection, answer, sleeping)


def _advance(connection: Connection, answer: Answer | None, sleeping: Sleeping) -> bool:
    """Have a connection's generator take its next step; tell whether there was one."""
    try:
        step = connection.steps.send(answer)
    except StopIteration:
        return False
    if isinstance(step, bytes):
        connection.socket.sendall(step)
    else:
        heapq.heappush(sleeping, (time.monotonic() + step, connection.socket.fileno()))
    return True
