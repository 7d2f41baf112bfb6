"""Running the ledger's calls: one command each, blocking for the worker and asynchronous for the API.

Nothing here waits for ever, and nothing retries behind the caller's back for long.
"""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, TypeVar

import redis
import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, NoScriptError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.ledger.call import Call
from shared.ledger.payload import Argument, is_large, pack
from shared.ledger.pipelining import Pipelines
from shared.ledger.primary import Primary
from shared.ledger.replication import Replicas, TooFewReplicasError, promised
from shared.ledger.scripts import script
from shared.ledger.sentinel import AsyncSentinels, Sentinels

T = TypeVar("T")


PROMISES = frozenset({"submit", "retry"})  # after these a client is told 202


class LedgerRefusalError(RedisError):
    """The server answers, but says that it cannot do this now, in a way that redis-py has no class for."""


# The first words of such answers: writing its file fails (disk full), a script of someone else's runs for too long,
# too few replicas, or it was made a replica while it had us wait for a message.
REFUSALS = ("MISCONF", "BUSY", "NOREPLICAS", "UNBLOCKED")

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
    """The ledger for a worker: blocking calls over one connection of its own, one at a time.

    The calls go past redis-py's client to its connection: the client costs 100 us of CPU a call, three times as much
    as all else that a child does for a task. It is there for what is asked seldom.
    """

    def __init__(self, client: "redis.Redis", repeats: int, sentinels: Sentinels | None = None) -> None:
        self.client = client
        self._repeats = repeats
        self._sentinels = sentinels
        self._connection: Any = None
        self._one_at_a_time = threading.Lock()  # a model may report progress from a thread of its own

    def run(self, call: Call[T]) -> T:
        """Run one atomic step in one round trip (two after Redis has forgotten the script).

        Raises:
            one of LedgerUnavailable: Redis did not answer; the step may or may not have happened.
        """
        with self._one_at_a_time, self._refusals():
            return call.parse(self._evaluate(call))

    def pop(self, lists: Sequence[str], seconds: float) -> bytes | None:
        """Take the next message from the first of Celery's lists that has one; None if none comes within `seconds`.

        Raises:
            one of LedgerUnavailable: Redis did not answer; a message may have been taken and lost.
        """
        with self._one_at_a_time, self._refusals():
            found = self._ask_once(("BRPOP", *lists, seconds), 0)
        return None if found is None else bytes(found[1])

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except ReadOnlyError:
            # What was the primary is a replica now: the next call shall look up the address anew.
            self._disconnect()
            raise
        except ResponseError as error:
            if str(error).startswith(REFUSALS):
                raise LedgerRefusalError(str(error)) from error
            raise

    def _evaluate(self, call: Call[Any]) -> Any:
        if call.is_command:
            return self._ask(call.script, *call.arguments)
        try:
            return self._ask("EVALSHA", digest(call.script), 0, *call.arguments, bytes=call.bytes)
        except NoScriptError:
            return self._ask("EVAL", script(call.script), 0, *call.arguments, bytes=call.bytes)

    def _ask(self, *command: Argument, bytes: int = 0) -> Any:
        for attempt in range(self._repeats + 1):
            try:
                return self._ask_once(command, bytes)
            except RedisConnectionError:
                # After Redis was restarted the connection is broken, and one made at once is not. It is safe, since
                # every step may be repeated. A timeout is not repeated, it would double the wait.
                if attempt == self._repeats:
                    raise
        raise AssertionError("unreachable")

    def _ask_once(self, command: tuple[Argument, ...], bytes: int) -> Any:
        if self._connection is None:
            self._connection = self.client.connection_pool.get_connection()
        elif self._is_elsewhere():
            # Not this connection alone: one that listens would hear nothing more, and not notice.
            self.client.connection_pool.disconnect()
        try:
            if is_large(bytes):
                self._connection.send_packed_command(pack(command))
            else:
                self._connection.send_command(*command)
            return self._connection.read_response()
        except ResponseError:
            raise  # an answer
        except BaseException:  # an answer may come yet, and must not be taken for the next one's
            self._disconnect()
            raise

    def _is_elsewhere(self) -> bool:
        """Tell whether the connection is to a server that was the primary, and is it no more."""
        if self._sentinels is None or not self._connection.is_connected:
            return False
        return self._sentinels.have_moved_from(self._connection.host, self._connection.port)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.disconnect()

    def close(self) -> None:
        """Close every connection."""
        self._disconnect()
        self.client.close()
        if self._sentinels is not None:
            self._sentinels.close()


class AsyncLedger:
    """The ledger for the API: calls that never block the event loop."""

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        answer_seconds: float,
        sentinels: AsyncSentinels | None = None,
        replicas: int = 0,
    ) -> None:
        self.client = client
        self._pipelines = Pipelines(client.connection_pool, answer_seconds)
        self._replicas = Replicas(client, replicas) if replicas else None
        self._sentinels = sentinels
        if sentinels is not None:
            sentinels.on_found = self._leave_others

    async def run(self, call: Call[T]) -> T:
        """Run one atomic step in one round trip (two after Redis has forgotten the script), which others may share.

        Raises:
            one of LedgerUnavailable: Redis did not answer; the step may or may not have happened.
        """
        if self._sentinels is not None:
            self._sentinels.look()
        try:
            found = call.parse(await self._evaluate(call))
            if self._replicas is not None and call.script in PROMISES and (id := promised(found)):
                await self._replicas.have(id)
        except ReadOnlyError:
            # What was the primary is a replica now: the next call shall look up the address anew.
            await self._drop_idle_connections()
            raise
        except TooFewReplicasError as error:
            raise LedgerRefusalError(str(error)) from error
        except ResponseError as error:
            if str(error).startswith(REFUSALS):
                raise LedgerRefusalError(str(error)) from error
            raise
        else:
            return found

    async def _drop_idle_connections(self) -> None:
        # Not the pool's own disconnect(), which leaves them in the pool while it closes them: another request could
        # take one that is half closed.
        idle = self.client.connection_pool._available_connections  # noqa: SLF001
        while idle:
            await idle.pop().disconnect()

    def _leave_others(self, primary: Primary) -> None:
        """Break every connection to another server than the primary, whoever uses it: as if the network had.

        What is under way is tried once more, there. Closing them properly would take the connection away from under
        whoever reads.
        """
        pool = self.client.connection_pool  # neither it nor a connection says this in its public part
        for connection in (*pool._available_connections, *pool._in_use_connections):  # noqa: SLF001
            writer, place = connection._writer, (connection.host, connection.port)  # type: ignore[attr-defined]  # noqa: SLF001
            if writer is not None and place != primary[:2]:
                writer.transport.abort()

    async def _evaluate(self, call: Call[Any]) -> Any:
        ask = partial(self._pipelines.ask, bytes=call.bytes)
        if call.is_command:
            return await ask(call.script, *call.arguments)
        try:
            return await ask("EVALSHA", digest(call.script), 0, *call.arguments)
        except NoScriptError:
            return await ask("EVAL", script(call.script), 0, *call.arguments)

    async def close(self) -> None:
        """Close every connection."""
        await self._pipelines.close()
        if self._replicas is not None:
            await self._replicas.close()
        if self._sentinels is not None:
            await self._sentinels.close()
        await self.client.aclose()
