"""The proxy forwards, hangs while it is cut, delivers what was sent meanwhile, and resets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.faults.proxy import Proxy

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
MOMENT = 0.2


@contextlib.asynccontextmanager
async def proxied() -> AsyncIterator[tuple[Proxy, Connect]]:
    """A proxy in front of a server that sends back what it gets."""
    writers: list[asyncio.StreamWriter] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writers.append(writer)
        return reader, writer

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = Proxy(server.sockets[0].getsockname()[1])
    await proxy.start()
    try:
        yield proxy, connect
    finally:
        for writer in writers:
            writer.close()
        await proxy.close()
        server.close()
        await asyncio.sleep(0)  # the servers' handlers see that their connections are closed


async def says(reader: asyncio.StreamReader, within: float = 5.0) -> bytes:
    return await asyncio.wait_for(reader.read(100), within)


def test_what_is_sent_arrives() -> None:
    async def scenario() -> None:
        async with proxied() as (_, connect):
            reader, writer = await connect()
            writer.write(b"hello")
            assert await says(reader) == b"hello"

    asyncio.run(scenario())


def test_a_cut_holds_everything_back_until_it_is_healed() -> None:
    async def scenario() -> None:
        async with proxied() as (proxy, connect):
            old, new = await connect(), None
            old[1].write(b"before")
            assert await says(old[0]) == b"before"
            proxy.cut()
            new = await connect()
            for reader, writer in (old, new):
                writer.write(b"during")
                with pytest.raises(TimeoutError):
                    await says(reader, MOMENT)
            proxy.heal()
            for reader, _ in (old, new):
                assert await says(reader) == b"during"

    asyncio.run(scenario())


def test_a_reset_breaks_what_is_open_and_nothing_later() -> None:
    async def scenario() -> None:
        async with proxied() as (proxy, connect):
            reader, writer = await connect()
            writer.write(b"x")
            await says(reader)
            proxy.reset()
            with pytest.raises(ConnectionResetError):
                await says(reader)
            reader, writer = await connect()
            writer.write(b"again")
            assert await says(reader) == b"again"

    asyncio.run(scenario())
