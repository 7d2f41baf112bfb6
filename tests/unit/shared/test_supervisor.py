"""The supervisor with real processes: small Python programs that do as they are told."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from shared.supervision.program import Process, Program
from shared.supervision.signals import Signals
from shared.supervision.supervisor import Check, Stop, Supervisor

FOREVER = "import time\nwhile True: time.sleep(60)"
STUBBORN = (
    "import pathlib, signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "pathlib.Path(sys.argv[1]).touch()\nwhile True: time.sleep(60)"
)
HAS_CHILD = (
    "import pathlib, subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "pathlib.Path(sys.argv[1]).write_text(str(child.pid))\nwhile True: time.sleep(60)"
)


def python(code: str, *arguments: object, name: str = "worker", stop_seconds: float = 10) -> Program:
    command = (sys.executable, "-c", code, *[str(argument) for argument in arguments])
    return Program(name, command, os.environ, stop_seconds)


class Said(list[str]):
    """What a supervisor said."""

    def has(self, part: str) -> Check:
        return lambda: None if any(part in line for line in self) else f"nobody said {part!r}"


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def hangup() -> Iterator[None]:
    """Have SIGHUP mean what it usually does: under nohup it is ignored, and then no order to stop."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def supervisor(said: Said, hangup: None) -> Iterator[Supervisor]:
    with Signals() as signals:
        supervisor = Supervisor(signals, said.append)
        try:
            yield supervisor
        finally:
            supervisor.stop_all()


def within(seconds: float, check: Check) -> Check:
    """Fail the test if `check` takes longer."""
    deadline = time.monotonic() + seconds

    def checked() -> str | None:
        missing = check()
        assert missing is None or time.monotonic() < deadline, missing
        return missing

    return checked


def exists(path: Path) -> Check:
    return lambda: None if path.exists() and path.stat().st_size else f"no {path}"


def touched(path: Path) -> Check:
    return lambda: None if path.exists() else f"no {path}"


def running(supervisor: Supervisor) -> list[int]:
    return [kept.process.pid for kept in supervisor._kept if kept.process]


@contextlib.contextmanager
def signal_after(seconds: float, *numbers: int) -> Iterator[None]:
    timers = [threading.Timer(seconds * (i + 1), os.kill, (os.getpid(), n)) for i, n in enumerate(numbers)]
    for timer in timers:
        timer.start()
    yield
    for timer in timers:
        timer.join()


def test_what_is_killed_is_started_again(supervisor: Supervisor, said: Said) -> None:
    supervisor.start(python(FOREVER))
    (first,) = running(supervisor)
    os.kill(first, signal.SIGKILL)
    supervisor.run_until(within(10, said.has("starting it again")))
    assert said == ["worker exited with signal 9; starting it again in 0.5 s"]
    supervisor.run_until(within(10, lambda: None if running(supervisor) else "not running"))
    assert running(supervisor) != [first]


@pytest.mark.parametrize("code", [2, 78])
def test_what_cannot_start_ends_everything_with_its_code(supervisor: Supervisor, said: Said, code: int) -> None:
    supervisor.start(python(FOREVER, name="server"))
    supervisor.start(python(f"raise SystemExit({code})"))
    with pytest.raises(Stop) as stop:
        supervisor.run_until(None)
    assert stop.value.code == code
    assert said == [f"worker exited with code {code}: it cannot start; stopping"]


def test_what_never_gets_ready_ends_everything(
    supervisor: Supervisor, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.supervision.restart.FIRST_DELAY_SECONDS", 0.01)
    supervisor.start(python("raise SystemExit(3)"))
    with pytest.raises(Stop) as stop:
        supervisor.run_until(None)
    assert stop.value.code == 1
    assert said[-1] == "worker exited with code 3, 5 times in a row before it was ready; stopping"


def test_a_command_that_does_not_exist_is_one_line_each_time(
    supervisor: Supervisor, said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.supervision.restart.FIRST_DELAY_SECONDS", 0.01)
    supervisor.start(Program("api", (str(tmp_path / "absent"),), {}, 1))
    with pytest.raises(Stop):
        supervisor.run_until(None)
    assert "No such file" in said[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_the_order_to_stop(supervisor: Supervisor, number: int) -> None:
    supervisor.start(python(FOREVER))
    (pid,) = running(supervisor)
    with signal_after(0.1, number), pytest.raises(Stop) as stop:
        supervisor.run_until(None)
    assert stop.value.code == 0
    assert supervisor.stop_all()
    assert not psutil.pid_exists(pid)


def test_the_last_started_is_stopped_first(supervisor: Supervisor, tmp_path: Path) -> None:
    order = tmp_path / "order"
    tells = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n open(sys.argv[1], 'a').write(sys.argv[2] + ' ')\n raise SystemExit\n"
        "signal.signal(signal.SIGTERM, end)\npathlib.Path(sys.argv[1] + sys.argv[2]).touch()\n"
        "while True: time.sleep(60)"
    )
    for name in ("server", "worker", "api"):
        supervisor.start(python(tells, order, name, name=name))
        supervisor.run_until(within(10, touched(tmp_path / f"order{name}")))
    assert supervisor.stop_all()
    assert order.read_text() == "api worker server "


def test_what_does_not_stop_is_killed_when_its_time_is_up(supervisor: Supervisor, said: Said, tmp_path: Path) -> None:
    supervisor.start(python(STUBBORN, tmp_path / "up", stop_seconds=0.2))
    supervisor.run_until(within(10, touched(tmp_path / "up")))
    (pid,) = running(supervisor)
    assert supervisor.stop_all()
    assert said == ["worker did not stop in 0.2 s; killing it"]
    assert not psutil.pid_exists(pid)


def test_a_ctrl_c_while_stopping_kills_everything(supervisor: Supervisor, said: Said, tmp_path: Path) -> None:
    supervisor.start(python(FOREVER, name="server"))
    supervisor.start(python(STUBBORN, tmp_path / "up", stop_seconds=600))
    supervisor.run_until(within(10, touched(tmp_path / "up")))
    pids = running(supervisor)
    with signal_after(0.1, signal.SIGTERM, signal.SIGINT):
        assert not supervisor.stop_all()
    assert said == ["killing everything"]
    assert not any(psutil.pid_exists(pid) for pid in pids)


def gone(pid: int) -> Check:
    def check() -> str | None:
        with contextlib.suppress(psutil.NoSuchProcess):
            return None if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE else f"{pid} lives"
        return None

    return check


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_process_leaves_behind_is_killed_with_it(
    supervisor: Supervisor, said: Said, tmp_path: Path, end: int
) -> None:
    supervisor.start(python(HAS_CHILD, tmp_path / "pid"))
    supervisor.run_until(within(10, exists(tmp_path / "pid")))
    left = int((tmp_path / "pid").read_text())
    os.kill(running(supervisor)[0], end)
    supervisor.run_until(within(10, said.has("starting it again")))
    supervisor.run_until(within(10, gone(left)))


def test_a_long_wait_says_what_for(supervisor: Supervisor, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.supervision.supervisor.FIRST_HINT_SECONDS", 0.2)
    answers = iter(["no worker for ocr yet"] * 8)
    supervisor.run_until(lambda: next(answers, None))
    assert said[0] == "not ready after 0 s: no worker for ocr yet"


def test_signals_restores_what_was_there() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.wait(5) == {signal.SIGTERM}
        assert signals.wait(0) == set()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_a_process_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    starts = (
        "import sys, time\nfrom shared.supervision.program import Process, Program\n"
        "process = Process(Program('worker', (sys.executable, '-c', 'import time; time.sleep(600)'), {}, 1))\n"
        "open(sys.argv[1], 'w').write(str(process.pid))\ntime.sleep(600)"
    )
    parent = Process(python(starts, tmp_path / "pid"))
    poll(exists(tmp_path / "pid"))
    pid = int((tmp_path / "pid").read_text())
    os.kill(parent.pid, signal.SIGKILL)
    poll(gone(pid))
    parent.kill()


def poll(check: Callable[[], str | None], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while (missing := check()) is not None:
        assert time.monotonic() < deadline, missing
        time.sleep(0.02)
