"""The writer of an answer: its head and its body in one write.

uvicorn writes the head as soon as it has it, so every answer is two calls of the system, and two packets that wake the
client up. That was a tenth of what an answer costs.
"""

import asyncio


class Writer:
    """Stands for the transport of a connection while one request is answered.

    The first write is held back until the second, or until nothing more happens for now: the head of a stream must not
    wait for its first event.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._began = False
        self._held: bytes = b""
        self._holding: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        """Write, or hold back what is the first."""
        if not self._began:
            self._began = True
            self._held = data
            self._holding = self._loop.call_soon(self.flush)
        elif self._held:
            self._held, head = b"", self._held
            self._transport.writelines((head, data))
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write what is held back."""
        if self._holding is not None:
            self._holding.cancel()
        if self._held and not self._transport.is_closing():
            self._transport.write(self._held)
        self._held = b""

    def close(self) -> None:
        """Close the connection when all is written."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Tell whether the connection is closed, or is about to be."""
        return self._transport.is_closing()
