"""The processes of one contender while it is measured, each known by its part, so that their CPU time is seen apart."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO

import psutil

from bench.contenders.contender import Contender, Site
from bench.driver import ROOT, Driver, RowError
from bench.environments import python_of
from tests.integration.conftest import free_port
from tests.redis_server import RedisServer

CONNECTIONS = 20
START_SECONDS = 90.0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LAST_LINES = 15


class Running:
    """One contender, up."""

    def __init__(self, contender: Contender, parts: dict[str, psutil.Process], client: Driver) -> None:
        self.contender = contender
        self.client = client
        self._parts = parts

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds that every part has used so far, with all its processes, living and gone."""
        return {part: _tree_seconds(process) for part, process in self._parts.items()}

    def worker_pss(self) -> int:
        """Return the bytes of memory that the worker's processes have, what they share counted once."""
        return sum(each.memory_full_info().pss for each in _tree(self._parts["worker"]))

    @property
    def has_worker(self) -> bool:
        """Tell whether something else works than what serves."""
        return "worker" in self._parts

    @contextmanager
    def frozen_worker(self) -> Iterator[Callable[[], None]]:
        """Stop the worker where it is, loaded and idle, so that tasks queue up; what is yielded lets it go on."""
        tree = _tree(self._parts["worker"]) if self.has_worker else []
        _signal(tree, signal.SIGSTOP)
        try:
            yield lambda: _signal(tree, signal.SIGCONT)
        finally:
            _signal(tree, signal.SIGCONT)


@contextmanager
def running(contender: Contender) -> Iterator[Running]:
    """Start a contender with a Redis and a client of its own; end everything afterwards.

    Raises:
        RowError: it does not start, or what was done with it failed; with the end of its log.
    """
    with ExitStack() as stack:
        directory = tempfile.mkdtemp(prefix="penstock-bench-")
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        server = RedisServer()
        stack.callback(server.close)
        site = Site(free_port(), str(server.socket), directory)
        log = stack.enter_context(Path(directory, "log").open("w+b"))
        try:
            parts = {"redis": psutil.Process(server.client.info("server")["process_id"])}
            yield _up(stack, contender, site, log, parts)
        except RowError as error:
            raise RowError(f"{error}\n{_end_of(log)}") from error


def _up(
    stack: ExitStack, contender: Contender, site: Site, log: IO[bytes], parts: dict[str, psutil.Process]
) -> Running:
    if contender.serves:
        for part, arguments in (("api", contender.api), ("worker", contender.worker)):
            if arguments:
                environment = _environment(contender, site) | ({"BENCH_LOAD": "1"} if part == "worker" else {})
                parts[part] = _started(stack, _command(contender, arguments, site), environment, log)
        _wait_for(site.port, parts["api"])
        client = Driver([sys.executable, "-m", "bench.client"])
        client.tell({"port": site.port, "dialect": asdict(contender.dialect), "connections": CONNECTIONS})
        parts["client"] = psutil.Process(client.pid)
    else:
        client = Driver(_command(contender, contender.api, site), _environment(contender, site))
        parts["worker"] = psutil.Process(client.pid)
    stack.callback(client.close)
    return Running(contender, parts, client)


def _command(contender: Contender, arguments: tuple[str, ...], site: Site) -> list[str]:
    return [python_of(contender.packages), *(each.format(**asdict(site)) for each in arguments)]


def _environment(contender: Contender, site: Site) -> dict[str, str]:
    given = {name: value.format(**asdict(site)) for name, value in contender.environment.items()}
    return {**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT), **given}


def _started(stack: ExitStack, command: list[str], environment: dict[str, str], log: IO[bytes]) -> psutil.Process:
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    stack.callback(process.wait, 10)
    stack.callback(lambda: _signal(_tree(psutil.Process(process.pid)), signal.SIGKILL))
    return psutil.Process(process.pid)


def _wait_for(port: int, api: psutil.Process) -> None:
    give_up = time.monotonic() + START_SECONDS
    while True:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        if api.status() == psutil.STATUS_ZOMBIE or time.monotonic() > give_up:
            raise RowError("the API does not start")
        time.sleep(0.05)


def _tree(root: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return [root, *root.children(recursive=True)]
    return []


def _tree_seconds(root: psutil.Process) -> float:
    seconds = 0.0
    for process in _tree(root):
        with suppress(psutil.NoSuchProcess):
            used = process.cpu_times()
            seconds += used.user + used.system + used.children_user + used.children_system
    return seconds


def _signal(processes: list[psutil.Process], number: int) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _end_of(log: IO[bytes]) -> str:
    log.flush()
    text = Path(log.name).read_text(errors="replace")
    return "\n".join(text.splitlines()[-LAST_LINES:])
