"""A TCP proxy of one worker's own, so that its network can be cut without touching anybody else's."""

import asyncio
import contextlib
import socket
import struct

CHUNK = 65536
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset instead of a goodbye


class Proxy:
    """Forwards bytes between a worker and Redis until it is cut.

    While cut nothing is forwarded in either direction, a goodbye included: connections stay open, new ones hang. What
    was sent meanwhile arrives when it is healed, as after a real network's outage.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._open = asyncio.Event()
        self._open.set()
        self._ends: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        self._open.clear()

    def heal(self) -> None:
        self._open.set()

    def reset(self) -> None:
        """Break every connection, as a firewall that forgot them all."""
        for end in list(self._ends):
            with contextlib.suppress(OSError):  # closed by its other side a moment ago
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            end.transport.abort()

    async def close(self) -> None:
        self._server.close()
        self.reset()
        self.heal()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._kept(writer), contextlib.suppress(OSError):
            await self._open.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
            with self._kept(far_writer):
                await self._join((reader, far_writer), (far_reader, writer))

    @contextlib.contextmanager
    def _kept(self, writer: asyncio.StreamWriter):
        self._ends.add(writer)
        try:
            yield
        finally:
            self._ends.discard(writer)
            writer.close()

    async def _join(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Pump both ways until one side says goodbye."""
        pumps = [asyncio.create_task(self._pump(*way)) for way in ways]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(CHUNK):
            await self._open.wait()
            sink.write(data)
            await sink.drain()
        await self._open.wait()
