"""`penstock up` from outside: a real process, the real embedded server, real signals.

Every test runs twice: with small stand-ins for the API and the worker, which show what the supervisor does, and as
`penstock up` with the real parts.
"""

import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.supervised import BROKEN, STAND_INS, Up, poll, write


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
