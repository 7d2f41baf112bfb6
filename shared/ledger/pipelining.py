"""Pipelining: commands that are asked for at about the same time share one write to Redis, and one connection.

What redis-py does around a single command (a connection out of the pool, a look whether it is still good, a limit for
the write and one for the read) costs more than all else in a request. Here it is done once for everyone who asks while
others are being answered; who asks alone is served at once.

Nobody waits for a stranger's answer for long: replies are handed out one by one as they come, and who has not got on a
line within SLOW_SECONDS is given one of their own. What carries a large payload never shares: it goes over a
connection apart, and has longer to be taken and to be answered.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Any

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.ledger.payload import Argument, is_large, packed, patience

LINES = 2  # while Redis answers one, this process works on what the other brought
AT_ONCE = 50  # commands in a pipeline: a few milliseconds of the server's time
BYTES_AT_ONCE = 1 << 20  # after which a pipeline takes no more
SLOW_SECONDS = 0.005

Reply = asyncio.Future[Any]
Asked = deque[tuple[tuple[bytes, ...], Reply]]


class Pipelines:
    """Sends commands over the connections of `pool`, and hands out the replies."""

    def __init__(self, pool: ConnectionPool, answer_seconds: float) -> None:
        self._pool = pool
        self._answer_seconds = answer_seconds
        self._asked: Asked = deque()
        self._lines: set[asyncio.Task[None]] = set()
        self._apart: dict[asyncio.Task[None], Asked] = {}
        self._is_opening = False
        self._impatience: asyncio.TimerHandle | None = None
        self._is_closed = False

    def ask(self, *command: Argument, bytes: int = 0) -> Reply:
        """Return what will be Redis's reply to `command`, or the exception that says why there is none.

        `bytes` is what its payload has, there or back. Who gives up waiting disturbs nobody else; whether the command
        is carried out is not known then.
        """
        loop = asyncio.get_running_loop()
        reply = loop.create_future()
        asked = packed(command, bytes), reply
        if self._is_closed:
            fail(deque([asked]), RedisConnectionError("closed"))
            return reply
        if is_large(bytes):
            self._send_apart(asked, bytes)
            return reply
        self._asked.append(asked)
        if len(self._lines) < LINES:
            self._open_line()
        elif self._impatience is None:
            self._impatience = loop.call_later(SLOW_SECONDS, self._open_line)
        return reply

    async def close(self) -> None:
        """End whatever is under way; whoever asks, or has not been answered, is told that it is closed."""
        self._is_closed = True
        self._cancel_impatience()
        unsent, self._asked = self._asked, deque()  # nothing is left for which a line that ends would open another
        lines, apart = [*self._lines, *self._apart], list(self._apart.values())
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)
        for asked in (unsent, *apart):  # some lines may not have begun
            fail(asked, RedisConnectionError("closed"))

    def _open_line(self) -> None:
        """Have somebody see to what is asked for. They begin when all has asked that is about to."""
        if self._is_opening:
            return
        self._is_opening = True
        line = asyncio.get_running_loop().create_task(self._serve(), name="pipelining")
        self._lines.add(line)
        line.add_done_callback(self._close_line)

    def _close_line(self, line: asyncio.Task[None]) -> None:
        self._lines.discard(line)
        if self._asked and len(self._lines) < LINES and not line.cancelled():
            self._open_line()

    def _send_apart(self, asked: tuple[tuple[bytes, ...], Reply], bytes: int) -> None:
        """Have a command with a large payload sent by itself."""
        some, seconds = deque([asked]), patience(self._answer_seconds, bytes)
        line = asyncio.get_running_loop().create_task(self._carry(some, seconds, deque), name="apart")
        self._apart[line] = some
        line.add_done_callback(self._apart.pop)

    async def _serve(self) -> None:
        """Send what is asked for, again and again until there is nothing, or there are others enough to do it."""
        self._is_opening = False
        some = self._take()
        if some:  # else another line was quicker
            await self._carry(some, self._answer_seconds, self._more)

    def _more(self) -> Asked:
        return self._take() if len(self._lines) <= LINES else deque()

    async def _carry(self, some: Asked, seconds: float, more: Callable[[], Asked]) -> None:
        """Send `some` and what there is `more`, over a connection that takes and answers it within so many seconds."""
        try:
            connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
            usual, connection.socket_timeout = connection.socket_timeout, seconds
            try:
                while some:
                    await exchange(connection, some, seconds)
                    some = more()
            finally:
                connection.socket_timeout = usual
                await self._pool.release(connection)
        except RuntimeError as error:
            # How uvloop says that the connection was closed between being made and being written to ("the handler is
            # closed"); redis-py passes it through.
            fail(some, RedisConnectionError(str(error)))
        except Exception as error:  # noqa: BLE001 (it is theirs who asked)
            fail(some, error)
        except asyncio.CancelledError:
            fail(some, RedisConnectionError("closed"))
            raise

    def _take(self) -> Asked:
        """Take what goes into one pipeline."""
        self._cancel_impatience()
        some: Asked = deque()
        size = 0
        while self._asked and len(some) < AT_ONCE and size < BYTES_AT_ONCE:
            some.append(self._asked.popleft())
            size += sum(map(len, some[-1][0]))
        if self._asked and len(self._lines) < LINES:
            self._open_line()
        elif self._asked:
            self._impatience = asyncio.get_running_loop().call_later(SLOW_SECONDS, self._open_line)
        return some

    def _cancel_impatience(self) -> None:
        """Open no line for those who have waited for one."""
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None


async def exchange(connection: AbstractConnection, some: Asked, answer_seconds: float) -> None:
    """Send what is asked for and hand out the replies; what has got one is no longer among `some`.

    A connection that breaks is tried once more, with what it still owes: after Redis was restarted all of them are
    broken, and one made at once is not. It is safe, since every step may be repeated. A timeout is not repeated, it
    would double the wait.
    """
    try:
        is_refused = await send_and_hand_out(connection, some, answer_seconds)
    except RedisConnectionError as error:
        await connection.disconnect(error=error)
        is_refused = await send_and_hand_out(connection, some, answer_seconds)
    if is_refused:
        # What was the primary is a replica now: the next command shall look up the address anew.
        await connection.disconnect()


async def send_and_hand_out(connection: AbstractConnection, some: Asked, answer_seconds: float) -> bool:
    """Send what is asked for, connecting first if need be; return what `hand_out_all` does."""
    await connection.send_packed_command([part for parts, _ in some for part in parts], check_health=False)
    return await hand_out_all(connection, some, answer_seconds)


async def hand_out_all(connection: AbstractConnection, some: Asked, answer_seconds: float) -> bool:
    """Hand out the replies as they come; tell whether one says that this server may not write.

    Each has `answer_seconds` to come after the one before. It is one limit that is moved, since redis-py's own, made
    anew for each reply, costs as much as reading it.

    Raises:
        RedisTimeoutError: one did not come; redis-py has closed the connection, so what comes late reaches nobody.
    """
    clock = asyncio.get_running_loop().time
    is_refused = False
    try:
        async with asyncio.timeout(answer_seconds) as limit:
            while some:
                is_refused |= await hand_out(connection, some)
                limit.reschedule(clock() + answer_seconds)
    except TimeoutError:
        raise RedisTimeoutError(f"no answer within {answer_seconds:g} s") from None
    return is_refused


async def hand_out(connection: AbstractConnection, some: Asked) -> bool:
    """Give the next reply to the first of `some`; tell whether it is that this server may not write."""
    try:
        found, error = await connection.read_response(timeout=math.inf), None
    except ResponseError as refusal:
        found, error = None, refusal
    _, reply = some.popleft()
    if not reply.done():
        if error is None:
            reply.set_result(found)
        else:
            reply.set_exception(error)
    return isinstance(error, ReadOnlyError)


def fail(some: Asked, error: Exception) -> None:
    """Tell everyone among `some` that there is no reply, and why."""
    for _, reply in some:
        if not reply.done():
            reply.set_exception(error)
