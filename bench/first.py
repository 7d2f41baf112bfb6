"""First figures: what a submit, a poll, a lost worker and a cancellation cost. `python -m bench.first` (2 minutes).

Real processes: an embedded Valkey, one API process, workers. Latencies are also given as ratios to a bare FastAPI
route that validates the same body, driven by the same client in turn, since machines differ and drift.
"""

import http.client
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from tests.integration.conftest import free_port
from tests.integration.nodes import ROOT, ApiProcess, Process, WorkerProcess
from tests.redis_server import RedisServer
from tests.waiting import eventually

LEASE_SECONDS = 10.0
SAMPLES = 1000
LOST_WORKERS = 8
CANCELLATIONS = 40
BARE = """
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
class Input(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str
app = FastAPI()
@app.post("/task/echo", status_code=202)
async def submit(input: Input): return {"text": input.text}
@app.get("/task/{task_id}")
async def read(task_id: str): return {"task_id": task_id}
@app.get("/livez")
async def live(): return {}
"""
JSON = {"Content-Type": "application/json"}


class Wire:
    """One connection of a client that costs little."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def ask(self, method: str, path: str, body: str | None = None) -> dict[str, object]:
        self._connection.request(method, path, body, JSON if body else {})
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status < 300, text
        found: dict[str, object] = json.loads(text)
        return found


def timed(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def show(name: str, seconds: list[float], bare: list[float] | None = None) -> None:
    ordered = sorted(seconds)
    p50, p99 = statistics.median(ordered), ordered[int(len(ordered) * 0.99) - 1]
    ratio = f"{p50 / statistics.median(bare):.2f}" if bare else ""
    print(f"| {name} | {len(ordered)} | {p50 * 1000:.2f} | {p99 * 1000:.2f} | {ordered[-1] * 1000:.1f} | {ratio} |")


def latencies(ours: Wire, bare: Wire) -> None:
    done = ours.ask("POST", "/task/echo", '{"text": "x"}')["task_id"]
    steps = {
        "submit": ("POST", "/task/echo", '{"text": "hello"}'),
        "poll of a finished task": ("GET", f"/task/{done}", None),
    }
    for name, step in steps.items():
        pairs = [(timed(partial(ours.ask, *step)), timed(partial(bare.ask, *step))) for _ in range(SAMPLES)]
        show(name, [a for a, _ in pairs[50:]], [b for _, b in pairs[50:]])


def thousand(port: int) -> float:
    def fifty(_: int) -> list[object]:
        wire = Wire(port)
        return [wire.ask("POST", "/task/echo", '{"text": "hello"}')["task_id"] for _ in range(50)]

    started = time.perf_counter()
    with ThreadPoolExecutor(20) as clients:
        ids = [id for part in clients.map(fifty, range(20)) for id in part]
    wire = Wire(port)
    for id in ids:
        eventually(partial(has_succeeded, wire, id), within=60, every=0.005)
    return time.perf_counter() - started


def lost_worker(port: int, environment: dict[str, str]) -> float:
    """Kill a worker with all its children while it runs a task, then wait until it runs on another."""
    arguments = ("--models", "wait", "--concurrency", "1")
    with ExitStack() as workers:
        first = workers.enter_context(closing(WorkerProcess(*arguments, environment=environment)))
        first.ready()
        wire = Wire(port)
        id = wire.ask("POST", "/task/wait", '{"wait_time": 10}')["task_id"]
        eventually(lambda: wire.ask("GET", f"/task/{id}")["status"] == "running")
        second = workers.enter_context(closing(WorkerProcess(*arguments, environment=environment)))
        second.ready()
        first.signal_tree(signal.SIGKILL)
        seconds = timed(lambda: eventually(lambda: wire.ask("GET", f"/task/{id}")["attempt"] == 2, within=60))
        wire.ask("POST", f"/task/{id}/cancel")
    return seconds


def cancelled(port: int) -> float:
    """Cancel a task that is inside one C call, on a worker with one child; then wait until the next one is done."""
    wire = Wire(port)
    spinning = wire.ask("POST", "/task/faulty", '{"fault": "spin"}')["task_id"]
    eventually(lambda: wire.ask("GET", f"/task/{spinning}")["status"] == "running", every=0.002)
    following = wire.ask("POST", "/task/faulty", '{"fault": "none"}')["task_id"]

    def until_next() -> None:
        wire.ask("POST", f"/task/{spinning}/cancel")
        eventually(lambda: wire.ask("GET", f"/task/{following}")["status"] == "succeeded", every=0.002)

    return timed(until_next)


def main() -> None:
    server, directory = RedisServer(), Path(tempfile.mkdtemp())
    (directory / "bare.py").write_text(BARE)
    environment = {
        "PENSTOCK_REDIS_URL": server.url,
        "PENSTOCK_MODELS": ",".join(str(ROOT / f) for f in ("models/wait", "tests/models/echo", "tests/models/faulty")),
        "PENSTOCK_LEASE_SECONDS": str(LEASE_SECONDS),
        "EXECUTION_LOG": os.devnull,
    }
    port, bare_port = free_port(), free_port()
    api = ApiProcess(port, environment)
    bare = Process(
        "-m", "uvicorn", "bare:app", "--port", str(bare_port), "--no-access-log", environment={}, directory=directory
    )
    worker = WorkerProcess("--models", "echo", environment=environment)
    try:
        worker.ready()
        for each in (port, bare_port):
            eventually(partial(is_up, each), within=20)
        print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, lease {LEASE_SECONDS:g} s\n")
        print("| | n | p50 ms | p99 ms | worst ms | p50 to bare FastAPI |\n|---|---|---|---|---|---|")
        latencies(Wire(port), Wire(bare_port))
        show("1,000 tasks by 20 clients, first submit to last result", [thousand(port) for _ in range(3)])
        worker.close()
        show(
            "a worker killed: until its task runs on another",
            [lost_worker(port, environment) for _ in range(LOST_WORKERS)],
        )
        worker = WorkerProcess("--models", "faulty", "--concurrency", "1", environment=environment)
        worker.ready()
        show("cancel inside C code: until the next task is done", [cancelled(port) for _ in range(CANCELLATIONS)])
    finally:
        for process in (worker, api, bare):
            process.close()
        server.close()


def has_succeeded(wire: Wire, id: object) -> bool:
    return wire.ask("GET", f"/task/{id}")["status"] == "succeeded"


def is_up(port: int) -> bool:
    try:
        Wire(port).ask("GET", "/livez")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
