"""Sharing connections, with a real server: each gets their own reply or their own error, and nobody is in the way."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.ledger import pipelining
from shared.ledger.payload import LARGE_BYTES
from shared.ledger.pipelining import AT_ONCE, BYTES_AT_ONCE, LINES, SLOW_SECONDS, Pipelines
from tests.redis_server import RedisServer
from tests.waiting import eventually

ANSWER_SECONDS = 0.5
NAME = "pipelining"
Scene = Callable[[Pipelines], Awaitable[None]]


def play(server: RedisServer, scene: Scene) -> None:
    server.client.flushall()

    async def with_pipelines() -> None:
        async with pipelines(server) as made, asyncio.timeout(20):
            await scene(made)

    asyncio.run(with_pipelines())


@asynccontextmanager
async def pipelines(server: RedisServer) -> AsyncIterator[Pipelines]:
    retry = Retry(NoBackoff(), 0)
    client = redis.asyncio.Redis(
        unix_socket_path=str(server.socket), client_name=NAME, retry=retry, socket_timeout=ANSWER_SECONDS
    )
    made = Pipelines(client.connection_pool, ANSWER_SECONDS)
    try:
        yield made
    finally:
        await made.close()
        await client.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}


def connections(server: RedisServer) -> list[str]:
    return [row["id"] for row in server.client.client_list() if row["name"] == NAME]


def blocked(server: RedisServer) -> int:
    return int(server.client.info("clients")["blocked_clients"])


def socket_timeouts(asked: Pipelines) -> set[float]:
    return {connection.socket_timeout for connection in asked._pool._available_connections}  # type: ignore[attr-defined]


@pytest.mark.parametrize("count", [1, AT_ONCE, 10 * AT_ONCE + 1])
def test_everyone_gets_their_own_reply_and_they_share_few_connections(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(pipelining, "SLOW_SECONDS", 5.0)  # a busy machine takes longer than the usual for a connect

    async def scene(asked: Pipelines) -> None:
        found = await asyncio.gather(*(asked.ask("ECHO", n) for n in range(count)))
        assert found == [b"%d" % n for n in range(count)]
        assert len(connections(server)) <= LINES

    play(server, scene)


def test_an_error_is_told_to_whom_it_concerns_and_to_nobody_else(server: RedisServer) -> None:
    async def scene(asked: Pipelines) -> None:
        found = await asyncio.gather(
            asked.ask("ECHO", "a"), asked.ask("NO SUCH"), asked.ask("ECHO", "b"), return_exceptions=True
        )
        assert found[::2] == [b"a", b"b"]
        assert isinstance(found[1], ResponseError)
        with pytest.raises(TypeError):
            asked.ask("ECHO", None)  # type: ignore[arg-type]
        assert await asked.ask("ECHO", "c") == b"c"

    play(server, scene)


def test_who_gives_up_disturbs_nobody(server: RedisServer) -> None:
    async def scene(asked: Pipelines) -> None:
        first, second, third = (asked.ask("ECHO", n) for n in range(3))
        second.cancel()
        assert [await first, await third] == [b"0", b"2"]
        gone = asked.ask("BLPOP", "nothing", 0.2)
        after = asked.ask("ECHO", "after")  # in the same pipeline
        await asyncio.sleep(0.05)
        gone.cancel()
        assert await after == b"after"

    play(server, scene)


def test_who_is_not_answered_soon_is_in_nobodys_way(server: RedisServer) -> None:
    async def scene(asked: Pipelines) -> None:
        slow = []
        for lines in range(1, LINES + 1):
            slow.append(asked.ask("BLPOP", "nothing", 0.4))
            await asyncio.to_thread(eventually, lambda: blocked(server) == lines)  # noqa: B023
        began = time.monotonic()
        assert await asked.ask("ECHO", "quick") == b"quick"
        assert SLOW_SECONDS / 2 < time.monotonic() - began < 0.2
        assert not any(each.done() for each in slow)
        await asyncio.gather(*slow)
        await asyncio.gather(*(asked.ask("ECHO", n) for n in range(AT_ONCE * 2)))

    play(server, scene)


def test_large_commands_do_not_gather_in_one_pipeline(server: RedisServer) -> None:
    async def scene(asked: Pipelines) -> None:
        large = b"x" * BYTES_AT_ONCE
        await asyncio.gather(asked.ask("ECHO", large), asked.ask("ECHO", large))
        assert len(connections(server)) == 2

    play(server, scene)


def test_a_large_payload_has_a_connection_apart_and_more_time(server: RedisServer) -> None:
    """More than fits into the kernel, so that not even all of it is taken while the server is frozen."""
    payload = b"x" * 8_000_000

    async def scene(asked: Pipelines) -> None:
        await asyncio.gather(asked.ask("ECHO", "warm"), asked.ask("ECHO", payload, bytes=len(payload)))
        usual = socket_timeouts(asked)
        with server.frozen():
            large = asked.ask("ECHO", payload, bytes=100 * len(payload))
            with pytest.raises(RedisTimeoutError):
                await asked.ask("ECHO", "small")
            assert not large.done()
        assert await large == payload
        assert socket_timeouts(asked) == usual

    play(server, scene)


def test_a_large_reply_has_more_time(server: RedisServer) -> None:
    async def scene(asked: Pipelines) -> None:
        assert await asked.ask("BLPOP", "nothing", ANSWER_SECONDS * 1.5, bytes=100 * LARGE_BYTES) is None

    play(server, scene)


def test_a_large_payload_takes_nobodys_line(server: RedisServer) -> None:
    async def scene(asked: Pipelines) -> None:
        payload = b"x" * LARGE_BYTES
        large = [asked.ask("BLPOP", "nothing", 0.4, bytes=len(payload)) for _ in range(2 * LINES)]
        await asyncio.to_thread(eventually, lambda: blocked(server) == len(large))
        assert asked._lines == set()
        assert await asked.ask("ECHO", "quick") == b"quick"
        assert not any(each.done() for each in large)
        await asyncio.gather(*large)

    play(server, scene)


def test_a_connection_that_breaks_is_tried_once_more_with_what_it_owes(server: RedisServer) -> None:
    async def scene(asked: Pipelines) -> None:
        first, second = asked.ask("INCR", "count"), asked.ask("BLPOP", "nothing", 0.3)
        assert await first == 1
        await asyncio.to_thread(eventually, lambda: blocked(server) == 1)
        server.client.client_kill_filter(_id=connections(server)[0])
        assert await second is None
        assert server.client.get("count") == b"1"  # what was answered is not done again

    play(server, scene)


def test_idle_connections_that_were_cut_are_nobodys_error(server: RedisServer) -> None:
    async def scene(asked: Pipelines) -> None:
        for _ in range(3):
            assert await asyncio.gather(*(asked.ask("ECHO", n) for n in range(60))) == [b"%d" % n for n in range(60)]
            for id in connections(server):
                server.client.client_kill_filter(_id=id)

    play(server, scene)


def test_what_is_never_answered_fails(server: RedisServer) -> None:
    async def scene(asked: Pipelines) -> None:
        with pytest.raises(RedisTimeoutError):
            await asked.ask("BLPOP", "nothing", ANSWER_SECONDS * 4)

    play(server, scene)


def test_a_connection_to_what_has_become_a_replica_is_not_used_again(server: RedisServer) -> None:
    async def scene(asked: Pipelines) -> None:
        await asked.ask("ECHO", "before")
        before = connections(server)
        server.client.replicaof("127.0.0.1", 1)
        try:
            found = await asyncio.gather(
                asked.ask("SET", "a", "b"), *(asked.ask("ECHO", n) for n in range(5)), return_exceptions=True
            )
        finally:
            server.client.replicaof("NO", "ONE")
        assert isinstance(found[0], ReadOnlyError)
        assert found[1:] == [b"%d" % n for n in range(5)]
        assert await asked.ask("SET", "a", "b") in (b"OK", True)
        assert not set(before) & set(connections(server))

    play(server, scene)


def test_what_is_not_answered_in_time_fails_with_all_that_is_behind_it_and_the_next_goes_well(
    server: RedisServer,
) -> None:
    async def scene(asked: Pipelines) -> None:
        before = asked.ask("ECHO", "before")
        began = time.monotonic()
        late = [asked.ask("BLPOP", "nothing", ANSWER_SECONDS * 4), asked.ask("ECHO", "stranger's")]
        assert await before == b"before"
        failed = await asyncio.gather(*late, return_exceptions=True)
        assert [type(error) for error in failed] == [RedisTimeoutError] * 2
        assert ANSWER_SECONDS * 0.9 < time.monotonic() - began < ANSWER_SECONDS * 2
        assert await asked.ask("ECHO", "own") == b"own"

    play(server, scene)


def test_each_reply_has_its_own_time_to_come(server: RedisServer) -> None:
    async def scene(asked: Pipelines) -> None:
        slow = [asked.ask("BLPOP", "nothing", ANSWER_SECONDS * 0.6) for _ in range(3)]
        assert await asyncio.gather(*slow) == [None] * 3

    play(server, scene)


def test_what_uvloop_says_of_a_closed_connection_is_a_connection_error() -> None:
    class Closed:
        async def get_connection(self) -> None:
            raise RuntimeError("unable to perform operation; the handler is closed")

    async def scene() -> None:
        with pytest.raises(RedisConnectionError):
            await Pipelines(Closed(), ANSWER_SECONDS).ask("ECHO", "a")  # type: ignore[arg-type]

    asyncio.run(scene())


def test_closing_ends_what_is_under_way(server: RedisServer) -> None:
    async def scene(asked: Pipelines) -> None:
        waiting = []
        for lines in range(1, LINES + 1):
            waiting.append(asked.ask("BLPOP", "nothing", 10))
            await asyncio.to_thread(eventually, lambda: blocked(server) == lines)  # noqa: B023
        waiting.append(asked.ask("ECHO", "not sent yet"))
        waiting.append(asked.ask("BLPOP", "nothing", 10, bytes=LARGE_BYTES))
        await asked.close()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(error) for error in found] == [RedisConnectionError] * (LINES + 2)

    play(server, scene)
