"""pytest-celery's nodes as local processes instead of containers: the real server, the real worker, real signals.

A node of pytest-celery delegates to whatever it is given; these classes have the part of a container's interface that
it uses (ready, celeryconfig, logs, name, id, status, kill, reload, restart, teardown).
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

from tests.redis_server import RedisServer
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]


class BrokerProcess:
    """A Valkey server as a node."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.name = self.id = str(server.socket)
        self.status = "running"

    @property
    def celeryconfig(self) -> dict[str, str]:
        url = f"redis+socket://{self.server.socket}?virtual_host=0"
        return {"url": url, "host_url": url}

    def ready(self) -> bool:
        return bool(self.server.client.ping())

    def logs(self) -> str:
        return ""

    def kill(self, signal: str = "SIGKILL") -> None:
        self.server.kill()
        self.status = "exited"

    def reload(self) -> None:
        pass

    def restart(self, timeout: float = 10) -> None:
        self.server.start()
        self.status = "running"

    def teardown(self) -> None:
        pass  # its fixture closes it


class Process:
    """A Python program of ours in a session of its own, so that its whole tree can be killed at once."""

    def __init__(self, *command: str, environment: dict[str, str], directory: Path = ROOT) -> None:
        self.command = [sys.executable, *command]
        self.directory = directory
        self.environment = {**os.environ, **environment}
        self._log = tempfile.NamedTemporaryFile(prefix="penstock-log-")  # noqa: SIM115 (lives as long as the process)
        self.start()

    def start(self) -> None:
        self.popen = subprocess.Popen(
            self.command,
            cwd=self.directory,
            env=self.environment,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def log_file(self) -> Path:
        return Path(self._log.name)

    def logs(self) -> str:
        return self.log_file.read_text()

    def events(self) -> list[dict[str, Any]]:
        """The log as it was written: a JSON object a line, except what Celery prints past it."""
        return [json.loads(line) for line in self.logs().splitlines() if line.startswith("{")]

    def children(self) -> list[psutil.Process]:
        return [child for child in psutil.Process(self.pid).children() if lives(child)]

    def signal_tree(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def wait(self, within: float = 20) -> int:
        return self.popen.wait(within)

    def close(self) -> None:
        self.signal_tree(signal.SIGCONT)
        self.signal_tree(signal.SIGKILL)
        self.popen.wait(10)
        self._log.close()


def lives(process: psutil.Process) -> bool:
    """Tell whether a process runs; one that has ended may be on its parent's list for a moment yet."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class WorkerProcess(Process):
    """`python -m worker` as a node. `kill` takes the whole tree, as a machine that goes away would."""

    def __init__(self, *arguments: str, environment: dict[str, str]) -> None:
        super().__init__("-m", "worker", *arguments, environment=environment)

    @property
    def name(self) -> str:
        return f"worker-{self.pid}"

    @property
    def id(self) -> str:
        return self.name

    @property
    def status(self) -> str:
        return "running" if self.popen.poll() is None else "exited"

    @property
    def celeryconfig(self) -> dict[str, Any]:
        return {}

    def ready(self) -> bool:
        def is_ready() -> bool:
            assert self.popen.poll() is None, self.logs()
            return "worker ready" in self.logs()

        return eventually(is_ready, within=30)

    def kill(self, signal: str = "SIGKILL") -> None:
        self.signal_tree(getattr(__import__("signal"), signal))
        self.popen.wait(10)

    def reload(self) -> None:
        pass

    def restart(self, timeout: float = 10) -> None:
        self.start()
        self.ready()

    def teardown(self) -> None:
        self.close()


class ApiProcess(Process):
    """`python -m api` on a port of its own choosing by the system."""

    def __init__(self, port: int, environment: dict[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        super().__init__("-m", "api", "--port", str(port), environment=environment)
