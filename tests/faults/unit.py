"""One program kept running, as systemd would: what ends is started again."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.faults.observations import Exit
from tests.faults.patience import until
from tests.integration.nodes import ROOT

RESTART_SECONDS = 0.1  # systemd's RestartSec
TAIL = 30


class Unit:
    """A worker or an API process, through all its lives. `lock` is held by what must not be done to it twice."""

    def __init__(
        self, name: str, program: str, *arguments: str, environment: dict[str, str], logs: Path, ready: str
    ) -> None:
        self.name = name
        self.ready = asyncio.Event()
        self.lock = asyncio.Lock()
        self.lives: list[int] = []  # the process ids, the latest last
        self._command = [sys.executable, "-m", "tests.faults.armed", program, *arguments]
        self._environment = {**os.environ, **environment}
        self._logs = logs
        self._ready_word = ready.encode()
        self._process: asyncio.subprocess.Process | None = None
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def log(self) -> Path:
        """Where the latest life writes."""
        return self._logs / f"{self.name}.{len(self.lives)}.log"

    def children(self) -> list[int]:
        """Return the living children of the process, oldest first."""
        with contextlib.suppress(psutil.NoSuchProcess):
            found = psutil.Process(self.pid).children() if self.pid else []
            return sorted(child.pid for child in found if child.status() != psutil.STATUS_ZOMBIE)
        return []

    async def keep(self, note: Callable[[Exit], None]) -> None:
        """Run it, again and again until `close`; tell `note` of every end."""
        while not self._closing:
            await self._start()
            watch = asyncio.create_task(self._watch())
            code = await self._process.wait()
            watch.cancel()
            note(self._exit(code))
            self.ready.clear()
            await asyncio.sleep(RESTART_SECONDS)

    async def ready_again(self, lives: int) -> None:
        """Wait until a life after the first `lives` is ready."""
        await until(lambda: len(self.lives) > lives and self.ready.is_set())

    def signal(self, number: int, *, tree: bool = False) -> None:
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number) if tree else os.kill(self.pid, number)

    async def stop(self, within: float) -> bool:
        """Ask the process to end, and wait until it has; False: it had to be killed."""
        process = self._process
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), within)
        except TimeoutError:
            self.signal(signal.SIGKILL, tree=True)
            return False
        return True

    def close(self) -> None:
        """End it for good, with all that came of it."""
        self._closing = True
        for pid in self.lives:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    async def _start(self) -> None:
        log = self._logs / f"{self.name}.{len(self.lives) + 1}.log"
        with log.open("wb") as out:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, cwd=ROOT, env=self._environment, stdout=out, stderr=out, start_new_session=True
            )
        self.lives.append(self._process.pid)

    async def _watch(self) -> None:
        await until(lambda: self._ready_word in self.log.read_bytes())
        self.ready.set()

    def _exit(self, code: int) -> Exit:
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-TAIL:])
        return Exit(self.name, self.lives[-1], code, time.monotonic(), self.ready.is_set(), tail)
