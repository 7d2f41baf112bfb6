"""Sentinels: which server is the primary now, and connections that ask for it before they are made.

redis-py has both, but two things are missing there. A connection of its own that breaks is made again to the address
that it had. And nothing tells it that a primary has been replaced that still answers, as it does for ten seconds after
`SENTINEL FAILOVER`, and for longer where it is cut off from the others: what is written to it meanwhile is lost. So the
sentinels are asked again now and then, and connections to any other server than they name are closed.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.connection import Connection as AsyncConnection
from redis.asyncio.connection import SSLConnection as AsyncSSLConnection
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection
from redis.exceptions import RedisError
from redis.retry import Retry

from shared.address import Address
from shared.ledger.primary import Primary, PrimaryUnknownError, Round, named, next_look

# redis-py types its connections and its commands in part: hence what mypy is told below.
STATE, PLACE = "SENTINEL MASTER", "SENTINEL GET-MASTER-ADDR-BY-NAME"


def sentinel_client(address: Address, host: str, port: int, seconds: float) -> "redis.Redis":
    """Make the client of one sentinel, which asks once, for `seconds` to connect and again to be answered."""
    return redis.Redis(
        host=host,
        port=port,
        socket_connect_timeout=seconds,
        socket_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
        **address.sentinel_arguments,
    )


class Sentinels:
    """Asks the sentinels of one installation, blocking: for the connections of one process or thread."""

    def __init__(self, address: Address, seconds: float) -> None:
        self._name = address.primary
        self._clients = deque(sentinel_client(address, host, port, seconds) for host, port in address.hosts)
        self._latest: Primary | None = None
        self._next_look = 0.0

    def primary(self) -> Primary:
        """Ask one after the other, the one first that answered last.

        Raises:
            PrimaryUnknownError: no answer names a primary.
        """
        began = time.monotonic()
        try:
            self._latest = self._ask()
        finally:
            self._next_look = next_look(began, time.monotonic())
        return self._latest

    def have_moved_from(self, host: str, port: int) -> bool:
        """Tell whether the primary is known to be another than this server; looks every BELIEVED_SECONDS at most."""
        if time.monotonic() < self._next_look:
            return False
        try:
            return self.primary()[:2] != (host, port)
        except PrimaryUnknownError:
            return False  # a server that answers is better than none

    def close(self) -> None:
        """Close every connection to a sentinel."""
        for client in self._clients:
            client.close()

    def _ask(self) -> Primary:
        round, last = Round(self._name, self._latest), None
        for _ in range(len(self._clients)):
            try:
                client = self._clients[0]
                state = client.execute_command(STATE, self._name)  # type: ignore[no-untyped-call]
                place = client.execute_command(PLACE, self._name)  # type: ignore[no-untyped-call]
                if round.hear(named(state, place)):
                    break
            except (RedisError, OSError) as error:
                round.fail(whereabouts(self._clients[0]), error)
                last = error
            self._clients.rotate(-1)
        try:
            return round.result()
        except PrimaryUnknownError as error:
            raise error from last


class AsyncSentinels:
    """Asks the sentinels of one installation on behalf of all connections of a process, at most once at a time."""

    def __init__(self, address: Address, seconds: float) -> None:
        self._name = address.primary
        self._clients = deque(
            redis.asyncio.Redis(
                host=host,
                port=port,
                socket_connect_timeout=seconds,
                socket_timeout=seconds,
                retry=AsyncRetry(NoBackoff(), 0),
                **address.sentinel_arguments,
            )
            for host, port in address.hosts
        )
        self.on_found: Callable[[Primary], None] = lambda _: None  # told of what each search finds
        self._latest: Primary | None = None
        self._next_look = 0.0
        self._search: asyncio.Task[Primary] | None = None

    async def primary(self) -> Primary:
        """Return the primary as the sentinels know it now; who gives up waiting disturbs nobody else.

        Raises:
            PrimaryUnknownError: no answer names a primary.
        """
        return await asyncio.shield(self._searching())

    def look(self) -> None:
        """Have the primary searched for in the background, if that was not done for BELIEVED_SECONDS."""
        if time.monotonic() >= self._next_look:
            self._searching()

    async def close(self) -> None:
        """End the search, and close every connection to a sentinel."""
        if self._search is not None:
            self._search.cancel()
            await asyncio.wait([self._search])
        for client in self._clients:
            await client.aclose()

    def _searching(self) -> asyncio.Task[Primary]:
        if self._search is None or self._search.done():
            self._search = asyncio.get_running_loop().create_task(self._find(), name="primary")
            self._search.add_done_callback(_forget)
        return self._search

    async def _find(self) -> Primary:
        began = time.monotonic()
        try:
            self._latest = await self._ask()
        finally:
            self._next_look = next_look(began, time.monotonic())
        self.on_found(self._latest)
        return self._latest

    async def _ask(self) -> Primary:
        round = Round(self._name, self._latest)
        for _ in range(len(self._clients)):
            try:
                client = self._clients[0]
                state = await client.execute_command(STATE, self._name)  # type: ignore[no-untyped-call]
                place = await client.execute_command(PLACE, self._name)  # type: ignore[no-untyped-call]
                if round.hear(named(state, place)):
                    break
            except (RedisError, OSError, RuntimeError) as error:  # RuntimeError: see shared.ledger.pipelining
                round.fail(whereabouts(self._clients[0]), error)
            self._clients.rotate(-1)
        return round.result()


def whereabouts(client: "redis.Redis | redis.asyncio.Redis") -> str:
    """Return where a sentinel is, for a message."""
    arguments = client.connection_pool.connection_kwargs
    return f"{arguments['host']}:{arguments['port']}"


def _forget(search: asyncio.Task[Primary]) -> None:
    """Take note of how a search ended, which nobody may have waited for: asyncio would complain."""
    if not search.cancelled():
        search.exception()


class PrimaryConnection(Connection):
    """A connection that is made to the primary, whichever that is when it is made: also when it is made anew."""

    def __init__(self, *, sentinels: Sentinels, **arguments: Any) -> None:
        self._sentinels = sentinels
        super().__init__(**arguments)  # type: ignore[no-untyped-call]

    def _connect(self) -> Any:
        self.host, self.port, _ = self._sentinels.primary()
        return super()._connect()  # type: ignore[no-untyped-call]


class SecurePrimaryConnection(PrimaryConnection, SSLConnection):
    """The same over TLS."""


class AsyncPrimaryConnection(AsyncConnection):
    """A connection that is made to the primary, asynchronously."""

    def __init__(self, *, sentinels: AsyncSentinels, **arguments: Any) -> None:
        self._sentinels = sentinels
        super().__init__(**arguments)

    async def _connect(self) -> None:
        self.host, self.port, _ = await self._sentinels.primary()
        await super()._connect()  # type: ignore[no-untyped-call]


class AsyncSecurePrimaryConnection(AsyncPrimaryConnection, AsyncSSLConnection):
    """The same over TLS."""
