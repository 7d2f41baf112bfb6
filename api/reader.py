"""The reader of an answer: the client who takes what is written to a connection, or does not."""

import asyncio


class Reader:
    """Ends a connection of which nothing could be written for `seconds`, though there is something."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._transport = transport
        self._loop = loop
        self._seconds = seconds
        self._left = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_behind(self) -> bool:
        """Tell whether something is written that the kernel did not take yet."""
        return self._transport.get_write_buffer_size() > 0

    def watch(self) -> None:
        """Begin to wait, if something is left to be read."""
        left = self._transport.get_write_buffer_size()
        if left and self._timer is None:
            self._left = left
            self._timer = self._loop.call_later(self._seconds, self._look)

    def leave(self) -> None:
        """Wait no longer: the reader keeps up, or is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._transport.get_write_buffer_size() >= self._left:
            self._transport.abort()  # close() would wait until everything is read
        else:
            self.watch()
