"""`penstock up` as a process, with the real parts or with stand-ins for them, and a look at all that comes of it."""

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from shared.supervision.parts import environment

READY_SECONDS = 60.0

STAND_INS = {
    "up.py": """
import sys
from pathlib import Path
from shared.supervision.parts import Parts
from cli.up import up
from shared.environment import load_settings

here = Path(__file__).parent
parts = Parts(api=(sys.executable, str(here / "api")), worker=(sys.executable, str(here / "worker")))
raise SystemExit(up(load_settings(), parts))
""",
    "api/__main__.py": """
import json, os, signal, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import redis

ledger = redis.Redis.from_url(os.environ["PENSTOCK_REDIS_URL"], socket_timeout=0.5)

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status, workers = 200, int(ledger.exists("workers"))
        except redis.RedisError:
            status, workers = 503, 0
        body = json.dumps({"models": {"echo": {"workers": workers}}}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

address = (os.environ["PENSTOCK_API_HOST"], int(os.environ["PENSTOCK_API_PORT"]))
with ThreadingHTTPServer(address, Handler) as server:
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(0.05)
""",
    "worker/__main__.py": """
import os, signal, subprocess, sys, time
import redis

if os.environ.get("STAND_IN_CODE"):
    raise SystemExit(int(os.environ["STAND_IN_CODE"]))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])

def stop(*_):
    child.kill()
    child.wait()
    raise SystemExit

signal.signal(signal.SIGTERM, stop)
ledger = redis.Redis.from_url(os.environ["PENSTOCK_REDIS_URL"], socket_timeout=0.5)
while True:
    try:
        ledger.set("workers", 1, px=1000)
    except redis.RedisError:
        pass
    time.sleep(0.2)
""",
}

ECHO = {
    "__init__.py": "",
    "schema.py": """
from pydantic import BaseModel, ConfigDict

class Input(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "hello"}]})
    text: str

class Output(BaseModel):
    text: str
""",
    "model.py": """
from .schema import Input, Output

class Model:
    def predict(self, input: Input) -> Output:
        return Output(text=input.text)
""",
}
BROKEN = "class Model:\n    def __init__(self): raise OSError('no weights')\n"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def poll(look: Callable[[], Any], what: str, seconds: float = READY_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return seen


class Up:
    """One way to run `penstock up`, with a data directory and a free port of its own."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.command = command
        self.process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.variables = {
            "PENSTOCK_MODELS": str(write(folder / "models" / "echo", ECHO)),
            "PENSTOCK_DATA_DIR": str(self.data_dir),
            "PENSTOCK_API_PORT": str(self.port),
            "PENSTOCK_CONCURRENCY": "2",
            "PENSTOCK_DRAIN_SECONDS": "1",
            "PENSTOCK_LEASE_SECONDS": "2",
            "UP_TEST": str(folder),  # every process that comes of it carries this mark
        }

    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
        return {**environment(clean, {}), **self.variables}

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run one that is expected to end by itself."""
        return subprocess.run(
            self.command,
            env=self.environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=READY_SECONDS,
            check=False,
        )

    @contextlib.contextmanager
    def beside(self, command: list[str]) -> Iterator[None]:
        """Run another process for a while; SIGTERM has to end it with 0."""
        with (self.folder / "beside").open("ab") as log:
            process = subprocess.Popen(command, env=self.environment(), cwd=self.folder, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            code = process.wait(READY_SECONDS)
        assert code == 0, (self.folder / "beside").read_text()

    def start(self) -> int:
        """Start one and return its process id."""
        with (self.folder / "stdout").open("wb") as out, (self.folder / "stderr").open("wb") as err:
            self.process = subprocess.Popen(
                self.command, env=self.environment(), cwd=self.folder, stdout=out, stderr=err
            )
        return self.process.pid

    def start_and_wait(self) -> int:
        pid = self.start()
        self.until(lambda: "ready in" in self.stdout, "ready")
        return pid

    def until(self, look: Callable[[], Any], what: str) -> Any:
        """Return what `look` sees once it sees something; fail at once if the process ends meanwhile."""
        seen = poll(lambda: look() or self.ended(), f"{what}; stderr: {self.stderr}")
        assert not self.ended(), self.stderr
        return seen

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def end(self, number: int) -> int:
        """Send a signal and return the exit code."""
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(READY_SECONDS)

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    def part(self, name: str) -> psutil.Process | None:
        """Return the process of a part, None while there is none."""
        assert self.process
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                command = child.cmdline()
                last = Path(command[-1]).name if command else ""
                if last == name or (name == "server" and command and "-server" in command[0]):
                    return child
        return None

    def left(self) -> list[psutil.Process]:
        """Return every process that came of it and lives, wherever its parent is."""
        return [process for process in psutil.process_iter() if self._is_mine(process)]

    def _is_mine(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            mine = process.environ().get("UP_TEST") == str(self.folder)
            return mine and process.status() != psutil.STATUS_ZOMBIE
        return False

    def readyz(self) -> dict[str, Any] | None:
        """Return the body of /readyz if it is a 200 that knows a worker of every model."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as response:
                body: dict[str, Any] = json.load(response)
        except (OSError, ValueError):
            return None
        return body if all(served["workers"] for served in body["models"].values()) else None
