"""`penstock up` from outside: a real process, the real embedded server, real signals.

Every test runs twice: with small stand-ins for the API and the worker, which show what the supervisor does, and as
`penstock up` with the real parts.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.parts import environment

READY_SECONDS = 60.0

STAND_INS = {
    "up.py": """
import sys
from pathlib import Path
from cli.parts import Parts
from cli.up import up
from shared.settings import load_settings

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


@pytest.fixture(params=["stand-ins", "penstock"])
def up(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Up]:
    command = [sys.executable, "-P", "-m", "cli", "up"]
    if request.param == "stand-ins":
        command = [sys.executable, str(write(tmp_path / "stand_ins", STAND_INS) / "up.py")]
    run = Up(tmp_path, command)
    yield run
    if run.process and not run.ended():
        run.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.process.wait(30)
    left = run.left()
    for process in left:
        process.kill()
    if run.process:
        run.process.wait(10)
    assert not left
    assert not (tmp_path / "stderr").exists() or "Traceback" not in run.stderr


def test_it_says_what_runs_where_and_when_it_is_ready(up: Up) -> None:
    up.start_and_wait()
    assert up.readyz()
    url = f"http://127.0.0.1:{up.port}"
    for part in (f"unix://{up.data_dir}/valkey.sock", url, f"{url}/docs", "echo; 2 children", str(up.data_dir)):
        assert part in up.stdout
    assert up.stdout.splitlines()[-1].startswith("try: curl -d ")
    assert up.data_dir.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("part", ["api", "worker", "server"])
def test_a_part_that_is_killed_comes_back(up: Up, part: str) -> None:
    up.start_and_wait()
    killed = up.part(part)
    assert killed
    killed.kill()
    up.until(lambda: "exited with signal 9; starting it again in 0.5 s" in up.stderr, "the end was noticed")
    again = up.until(lambda: up.part(part), f"{part} was started again")
    assert again.pid != killed.pid
    up.until(up.readyz, "everything is ready again")
    assert not up.ended()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything(up: Up, number: int) -> None:
    up.start_and_wait()
    assert len(up.left()) >= 4
    assert up.end(number) == 0
    assert not up.left()
    assert not (up.data_dir / "valkey.sock").exists()


@pytest.mark.parametrize("moment", ["ledger", "api ", "ready in"])
def test_a_signal_at_any_moment_of_the_start_stops_everything(up: Up, moment: str) -> None:
    up.start()
    up.until(lambda: moment in up.stdout, "the moment came")
    assert up.end(signal.SIGINT) == 0
    assert not up.left()


@pytest.mark.parametrize("part", ["server", "worker", "api"])
def test_a_signal_the_moment_a_part_appears_stops_everything(up: Up, part: str) -> None:
    up.start()
    up.until(lambda: up.part(part), f"{part} was started")
    assert up.end(signal.SIGTERM) == 0
    assert not up.left()


def test_a_port_in_use_is_one_line(up: Up) -> None:
    with socket.create_server(("127.0.0.1", up.port)):
        done = up.run()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"penstock: PENSTOCK_API_PORT: {up.port} is in use on 127.0.0.1 by another program\n"
    assert not up.data_dir.exists()


def test_port_zero_is_any_that_is_free(up: Up) -> None:
    up.variables["PENSTOCK_API_PORT"] = "0"
    up.start_and_wait()
    up.port = int(up.stdout.partition("http://127.0.0.1:")[2].split("/")[0].split()[0])
    assert up.port
    assert up.readyz()


def test_a_second_one_on_the_same_data_directory_is_one_line(up: Up) -> None:
    first = up.start_and_wait()
    up.variables["PENSTOCK_API_PORT"] = "0"
    done = up.run()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"penstock: another penstock up (pid {first}) uses {up.data_dir}\n"
    assert up.readyz()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_a_killed_supervisor_leaves_nothing_and_can_be_started_again(up: Up) -> None:
    up.start_and_wait()
    up.end(signal.SIGKILL)
    poll(lambda: not up.left(), "everything ended", seconds=15)
    up.start_and_wait()
    assert up.readyz()


def test_the_data_directory_may_be_far_down(up: Up) -> None:
    up.variables["PENSTOCK_DATA_DIR"] = str(up.folder / ("deep" * 30) / "data")
    up.start_and_wait()
    path = Path(up.stdout.partition("unix://")[2].split()[0])
    assert path.is_socket()
    assert up.end(signal.SIGTERM) == 0
    assert not path.parent.exists()


def test_what_no_model_can_be_made_of_is_one_line(up: Up) -> None:
    up.variables["PENSTOCK_MODELS"] = str(up.folder / "absent")
    done = up.run()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"penstock: {up.folder / 'absent' / 'schema.py'} does not exist\n"


def test_a_worker_that_cannot_start_ends_everything(up: Up) -> None:
    up.variables["STAND_IN_CODE"] = "78"
    write(up.folder / "models" / "echo", {"model.py": BROKEN})
    up.start()
    poll(up.ended, "it gave up")
    assert up.process
    assert up.process.returncode in (2, 78), up.stderr
    assert f"worker exited with code {up.process.returncode}: it cannot start; stopping" in up.stderr
    assert not up.left()


@pytest.mark.parametrize("up", ["penstock"], indirect=True)
def test_a_task_goes_through(up: Up) -> None:
    up.start_and_wait()
    submit = [*up.command[:-1], "submit", "echo", '{"text": "hi"}', "--wait", "--timeout", "30"]
    up.variables["PENSTOCK_URL"] = f"http://127.0.0.1:{up.port}"
    done = subprocess.run(
        submit, env=up.environment(), cwd=up.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"] == {"text": "hi"}


@pytest.mark.parametrize("up", ["penstock"], indirect=True)
def test_parts_may_run_alone_beside_it(up: Up) -> None:
    up.start_and_wait()
    up.variables["PENSTOCK_REDIS_URL"] = f"unix://{up.data_dir}/valkey.sock"
    with socket.create_server(("127.0.0.1", 0)) as free:
        up.port = free.getsockname()[1]
    command = up.command[:-1]
    with up.beside([*command, "worker", "--concurrency", "1"]), up.beside([*command, "api", "--port", str(up.port)]):
        up.until(
            lambda: (up.readyz() or {"models": {"echo": {"workers": 0}}})["models"]["echo"]["workers"] == 2, "both"
        )
