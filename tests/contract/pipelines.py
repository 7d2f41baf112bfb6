"""Pipelines to a real server, for a scene that ends with nothing left behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from shared.ledger.pipelining import Pipelines
from tests.redis_server import RedisServer

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
