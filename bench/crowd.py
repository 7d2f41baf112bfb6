"""Clients that wait, thousands in one process, at little cost: raw sockets, and no more parsing than it takes.

`Crowd` is the handle: the clients run in a process of their own, so that nobody who measures them slows them down.
"""

import asyncio
import gc
import json
import multiprocessing
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any

import hiredis
import psutil
import uvloop

ANSWER_SECONDS = 120
AT_ONCE = 100  # connections being made
WAIT_SECONDS = 600  # longer than any run
PATHS = {"poll": f"/task/%s?wait={WAIT_SECONDS}", "events": "/task/%s/events"}
KINDS = tuple(PATHS)
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
DATA = re.compile(rb"^data: (\{.+\})$", re.MULTILINE)
END = b"event: end\ndata: {}\n\n"
SUBSCRIBE = b"PSUBSCRIBE penstock:task:*\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one client got. `at` counts as perf_counter does, which on one machine is the same for every process."""

    task: str
    kind: str
    at: float | None  # when it had all of it; None: never
    status: str  # the task's by the answer's last document, or what came instead


@dataclass(slots=True)
class Round:
    """What came of one crowd: the answers, and when a bare subscriber heard of each task's end."""

    answers: list[Answer]
    heard: dict[str, float]


class Client(asyncio.Protocol):
    """One connection with one request that is let wait."""

    def __init__(self, task: str, kind: str) -> None:
        self.task, self.kind = task, kind
        self.at: float | None = None
        self.received = bytearray()
        self.begun, self.ended = (asyncio.get_running_loop().create_future() for _ in range(2))

    def connection_made(self, transport: Any) -> None:  # uvloop's is no asyncio.Transport
        self.transport = transport
        transport.write(b"GET %b HTTP/1.1\r\nHost: bench\r\n\r\n" % (PATHS[self.kind] % self.task).encode())
        if self.kind == "poll":
            self.begun.set_result(None)  # nothing comes before the end

    def data_received(self, data: bytes) -> None:
        now = perf_counter()
        self.received += data
        if not self.begun.done():
            self.begun.set_result(None)
        if self.at is None and self._is_complete():
            self.at = now
            self.ended.set_result(None)

    def connection_lost(self, _: Exception | None) -> None:
        for future in (self.begun, self.ended):
            if not future.done():
                future.set_result(None)

    def _is_complete(self) -> bool:
        if self.kind == "events":
            return END in self.received[-100:]
        head, _, body = self.received.partition(b"\r\n\r\n")
        found = LENGTH.search(head)
        return found is not None and len(body) >= int(found[1])

    def answer(self) -> Answer:
        first, _, rest = bytes(self.received).partition(b"\r\n")
        status = first.decode()
        if b" 200 " in first:
            documents = DATA.findall(rest) if self.kind == "events" else [rest.partition(b"\r\n\r\n")[2]]
            status = json.loads(documents[-1])["status"] if documents else "nothing"
        return Answer(self.task, self.kind, self.at, status)


class Subscriber(asyncio.Protocol):
    """Hears of the tasks' ends from the server itself, in the same process: what no API can be faster than."""

    def __init__(self) -> None:
        self.heard: dict[str, float] = {}
        self._reader = hiredis.Reader()

    def connection_made(self, transport: Any) -> None:  # uvloop's is no asyncio.Transport
        transport.write(SUBSCRIBE)

    def data_received(self, data: bytes) -> None:
        now = perf_counter()
        self._reader.feed(data)
        while (message := self._reader.gets()) is not False:
            if message[0] == b"pmessage" and message[3] == b"succeeded":
                self.heard[message[2].rpartition(b":")[2].decode()] = now


@dataclass(slots=True)
class _Host:
    """The process of the clients: does what it is told, one thing after the other."""

    port: int
    subscriber: Subscriber
    clients: list[Client] = field(default_factory=list)

    async def connect(self, seats: Sequence[tuple[str, str]]) -> int:
        loop, turn = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)

        async def sit(task: str, kind: str) -> Client:
            async with turn:
                _, client = await loop.create_connection(partial(Client, task, kind), "127.0.0.1", self.port)
                await client.begun
            return client

        self.clients += await asyncio.gather(*(sit(*seat) for seat in seats))
        return len(self.clients)

    async def answers(self, within: float) -> Round:
        await asyncio.wait([client.ended for client in self.clients], timeout=within)
        found = Round([client.answer() for client in self.clients], self.subscriber.heard)
        self.subscriber.heard = {}
        await self.leave()
        return found

    async def leave(self) -> None:
        """Go away without a word: as a client that is killed, or gives up."""
        for client in self.clients:
            client.transport.abort()
        self.clients.clear()
        gc.collect()


async def _serve(port: int, redis_socket: Path, orders: Connection) -> None:
    loop = asyncio.get_running_loop()
    _, subscriber = await loop.create_unix_connection(Subscriber, str(redis_socket))
    host = _Host(port, subscriber)
    while True:
        name, *arguments = await loop.run_in_executor(None, orders.recv)
        orders.send(await getattr(host, name)(*arguments))


def _run(port: int, redis_socket: Path, orders: Connection) -> None:
    gc.disable()  # a pause here would count as the API's
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(port, redis_socket, orders))


class Crowd:
    """The clients of one API."""

    def __init__(self, port: int, redis_socket: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._orders, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(port, redis_socket, theirs), daemon=True)
        self._process.start()
        self.process = psutil.Process(self._process.pid)

    def connect(self, seats: Sequence[tuple[str, str]]) -> None:
        """Have one more client for each (task, kind); return once all have sent what they ask."""
        self._do("connect", seats)

    def answers(self, within: float) -> Round:
        """Wait until every client is answered, but no longer than `within` seconds; then all leave."""
        found = self._do("answers", within)
        assert isinstance(found, Round)
        return found

    def leave(self) -> None:
        """Have every client go away unanswered."""
        self._do("leave")

    def close(self) -> None:
        self._process.kill()
        self._process.join()

    def _do(self, *order: Any) -> Any:
        self._orders.send(order)
        assert self._orders.poll(ANSWER_SECONDS), f"no answer to {order[0]}"
        return self._orders.recv()
