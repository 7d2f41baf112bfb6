"""Head and body in one write, and a head that nothing follows is not kept from anybody."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

from api.writer import Writer


class Transport:
    """Remembers what is done with it."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def writelines(self, parts: tuple[bytes, ...]) -> None:
        self.done.append(list(parts))

    def close(self) -> None:
        self.closing = True
        self.done.append("close")

    def is_closing(self) -> bool:
        return self.closing


def play(scene: Callable[[Writer, Transport], Coroutine[Any, Any, None]]) -> list[Any]:
    transport = Transport()

    async def scene_and_what_is_due() -> None:
        writer = Writer(cast("asyncio.Transport", transport), asyncio.get_running_loop())
        await scene(writer, transport)
        await asyncio.sleep(0)

    asyncio.run(scene_and_what_is_due())
    return transport.done


def test_head_and_body_are_one_write_and_what_follows_is_written_as_it_comes() -> None:
    async def scene(writer: Writer, transport: Transport) -> None:
        for part in (b"head", b"body", b"more", b"end"):
            writer.write(part)

    assert play(scene) == [[b"head", b"body"], b"more", b"end"]


def test_a_head_that_nothing_follows_is_written_at_once() -> None:
    async def scene(writer: Writer, transport: Transport) -> None:
        writer.write(b"head")
        await asyncio.sleep(0)
        assert transport.done == [b"head"]
        writer.write(b"event")
        writer.write(b"event")

    assert play(scene) == [b"head", b"event", b"event"]


def test_closing_writes_what_is_held_back() -> None:
    async def scene(writer: Writer, transport: Transport) -> None:
        writer.write(b"head")
        writer.close()
        assert writer.is_closing()

    assert play(scene) == [b"head", "close"]


def test_nothing_is_written_to_a_connection_that_was_closed_meanwhile() -> None:
    async def scene(writer: Writer, transport: Transport) -> None:
        writer.write(b"head")
        transport.close()

    assert play(scene) == ["close"]
