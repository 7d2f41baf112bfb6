"""Shared connections that break, stay silent or are closed: who waits gets a reply or an error, the next goes well."""

import asyncio
import time

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.ledger.payload import LARGE_BYTES
from shared.ledger.pipelining import LINES, SLOW_SECONDS, Pipelines
from tests.contract.pipelines import ANSWER_SECONDS, blocked, connections, play
from tests.redis_server import RedisServer
from tests.waiting import eventually


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


def test_what_was_said_to_be_closed_is_not_sent_afterwards(server: RedisServer) -> None:
    async def scene(asked: Pipelines) -> None:
        for lines in range(1, LINES + 1):
            asked.ask("BLPOP", "nothing", 10).add_done_callback(asyncio.Future.exception)
            await asyncio.to_thread(eventually, lambda: blocked(server) == lines)  # noqa: B023
        unsent = asked.ask("SET", "sent", "afterwards")  # both lines are taken: it would get one of its own soon
        assert asked._impatience is not None
        await asked.close()
        assert asked._impatience is None
        late = asked.ask("SET", "sent", "late")
        await asyncio.sleep(10 * SLOW_SECONDS)
        found = await asyncio.gather(unsent, late, return_exceptions=True)
        assert [type(error) for error in found] == [RedisConnectionError] * 2
        assert server.client.get("sent") is None

    play(server, scene)


def test_a_line_that_breaks_while_it_is_closed_opens_no_other() -> None:
    class Breaking:
        asked = 0

        async def get_connection(self) -> None:
            self.asked += 1
            try:
                await asyncio.sleep(60)
            finally:
                raise RuntimeError("unable to perform operation; the handler is closed")

    async def scene() -> None:
        pool = Breaking()
        pipelines = Pipelines(pool, ANSWER_SECONDS)  # type: ignore[arg-type]
        waiting = []
        for _ in range(LINES):
            waiting.append(pipelines.ask("ECHO", "taken"))
            await asyncio.sleep(0)
        waiting.append(pipelines.ask("ECHO", "not sent yet"))
        assert pool.asked == LINES
        await pipelines.close()
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(error) for error in found] == [RedisConnectionError] * (LINES + 1)
        assert pool.asked == LINES
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scene())
