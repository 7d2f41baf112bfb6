"""Sharing connections, with a real server: each gets their own reply or their own error, and nobody is in the way."""

import asyncio
import time

import pytest
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.ledger import pipelining
from shared.ledger.payload import LARGE_BYTES
from shared.ledger.pipelining import AT_ONCE, BYTES_AT_ONCE, LINES, SLOW_SECONDS, Pipelines
from tests.contract.pipelines import ANSWER_SECONDS, blocked, connections, play
from tests.redis_server import RedisServer
from tests.waiting import eventually


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
            slow.append(asked.ask("BLPOP", "nothing", 0))
            await asyncio.to_thread(eventually, lambda: blocked(server) == lines)  # noqa: B023
        began = time.monotonic()
        assert await asked.ask("ECHO", "quick") == b"quick"
        assert SLOW_SECONDS / 2 < time.monotonic() - began < 0.2
        assert not any(each.done() for each in slow)
        # Not a time limit of BLPOP's: the server may be late by a tenth of a second, longer than they have patience.
        server.client.rpush("nothing", *range(LINES))
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


def test_each_reply_has_its_own_time_to_come(server: RedisServer) -> None:
    async def scene(asked: Pipelines) -> None:
        slow = [asked.ask("BLPOP", "nothing", ANSWER_SECONDS * 0.6) for _ in range(3)]
        assert await asyncio.gather(*slow) == [None] * 3

    play(server, scene)
