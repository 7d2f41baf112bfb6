"""Running the ledger's calls: one EVALSHA each, blocking for the worker and asynchronous for the API.

Nothing here waits for ever, and nothing retries behind the caller's back for long. redis-py 8 would try ten times
with a socket timeout of five seconds; what is away is told to the caller at once instead, who knows what to do.
"""

import hashlib
from functools import cache
from typing import Any, TypeVar

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, NoScriptError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from shared.ledger.calls import Call
from shared.ledger.scripts import script

T = TypeVar("T")

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 5.0  # a worker can afford to wait; its leases last longer
API_CONNECT_SECONDS = 0.3
API_ANSWER_SECONDS = 0.5  # design: a request that needs Redis is answered in well under a second
API_CONNECTIONS = 64


class LedgerRefusalError(RedisError):
    """The server answers, but says that it cannot do this now, in a way that redis-py has no class for."""


# The first words of such answers: writing its file fails (disk full), a script of someone else's runs for too long,
# too few replicas.
REFUSALS = ("MISCONF", "BUSY", "NOREPLICAS")

LedgerUnavailable = (
    RedisConnectionError,  # gone, refused, cut, or still loading its file
    RedisTimeoutError,
    ReadOnlyError,  # a replica
    MasterDownError,
    OutOfMemoryError,
    LedgerRefusalError,
    OSError,
)
"""What a call raises when the ledger cannot be reached or cannot write now; the caller may try again later.

Any other RedisError is a defect of ours (a script that does not run) and is not repeated."""


@cache
def digest(name: str) -> str:
    """Return the SHA-1 by which Redis knows a script."""
    return hashlib.sha1(script(name).encode(), usedforsecurity=False).hexdigest()


class Ledger:
    """The ledger for a worker: blocking calls over a small pool of its own."""

    def __init__(self, client: "redis.Redis") -> None:
        self.client = client

    def run(self, call: Call[T]) -> T:
        """Run one atomic step in one round trip (two after Redis has forgotten the script).

        Raises:
            one of LedgerUnavailable: Redis did not answer; the step may or may not have happened.
        """
        try:
            return call.parse(self._evaluate(call))
        except ReadOnlyError:
            # What was the primary is a replica now: the next call shall look up the address anew.
            self.client.connection_pool.disconnect()
            raise
        except ResponseError as error:
            if str(error).startswith(REFUSALS):
                raise LedgerRefusalError(str(error)) from error
            raise

    def _evaluate(self, call: Call[Any]) -> Any:
        try:
            return self.client.evalsha(digest(call.script), 0, *call.arguments)
        except NoScriptError:
            return self.client.eval(script(call.script), 0, *call.arguments)

    def close(self) -> None:
        """Close every connection."""
        self.client.close()


class AsyncLedger:
    """The ledger for the API: calls that never block the event loop."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self.client = client

    async def run(self, call: Call[T]) -> T:
        """Run one atomic step in one round trip (two after Redis has forgotten the script).

        Raises:
            one of LedgerUnavailable: Redis did not answer; the step may or may not have happened.
        """
        try:
            return call.parse(await self._evaluate(call))
        except ReadOnlyError:
            # What was the primary is a replica now: the next call shall look up the address anew.
            await self._drop_idle_connections()
            raise
        except ResponseError as error:
            if str(error).startswith(REFUSALS):
                raise LedgerRefusalError(str(error)) from error
            raise

    async def _drop_idle_connections(self) -> None:
        # Not the pool's own disconnect(), which leaves them in the pool while it closes them: another request could
        # take one that is half closed.
        idle = self.client.connection_pool._available_connections  # noqa: SLF001
        while idle:
            await idle.pop().disconnect()

    async def _evaluate(self, call: Call[Any]) -> Any:
        try:
            return await self.client.evalsha(digest(call.script), 0, *call.arguments)
        except NoScriptError:
            return await self.client.eval(script(call.script), 0, *call.arguments)
        except RuntimeError as error:
            # How uvloop says that the connection was closed between being made and being written to ("the handler is
            # closed"); redis-py passes it through.
            raise RedisConnectionError(str(error)) from error

    async def close(self) -> None:
        """Close every connection."""
        await self.client.aclose()


def connect(url: str, *, name: str, answer_seconds: float = ANSWER_SECONDS) -> Ledger:
    """Make the blocking ledger of one process (or thread); connects at the first call. `name` shows in CLIENT LIST."""
    return Ledger(
        redis.Redis.from_url(
            url,
            client_name=name,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=answer_seconds,
            retry=_once_more(Retry),
        )
    )


def connect_async(url: str, *, name: str) -> AsyncLedger:
    """Make the asynchronous ledger of one API process; connects at the first call."""
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        url,
        client_name=name,
        max_connections=API_CONNECTIONS,
        timeout=API_ANSWER_SECONDS,
        socket_connect_timeout=API_CONNECT_SECONDS,
        socket_timeout=API_ANSWER_SECONDS,
        retry=_once_more(AsyncRetry),
    )
    return AsyncLedger(redis.asyncio.Redis.from_pool(pool))


def _once_more(retry: type[Any]) -> Any:
    """Try a broken connection once more, at once: after Redis was restarted every pooled connection is broken.

    Safe because every step may be repeated: submit knows its id, the others their token. A timeout is not repeated,
    it would double the wait.
    """
    return retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
