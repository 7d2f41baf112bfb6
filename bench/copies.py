"""One large task from submit to download: how long each phase takes, whose CPU, and how often the payload is held."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

from bench.burden import id_in, large_submit
from bench.line import Line
from bench.site import Site
from bench.tables import Cell, Table
from bench.wire import Answer, delete, get
from tests.waiting import eventually

PARTS = ("API", "worker", "Redis")
PHASES = ("submit", "run", "poll, not modified", "download")
COLUMNS = (
    "phase",
    "ms",
    *(f"{part}: CPU ms" for part in PARTS),
    *(f"{part}: peak, payloads" for part in PARTS),
)
LOOK_SECONDS = 0.002
WARM_UP = 1000  # characters
WITHIN = 30.0


@dataclass(slots=True)
class Phase:
    """One phase, once."""

    seconds: float
    cpu: dict[str, float]  # seconds
    peak: dict[str, float]  # bytes above what was there before anything large came


@dataclass(slots=True)
class Scale:
    """The processes, and what they weigh before anything large comes."""

    site: Site
    parts: dict[str, list[psutil.Process]] = field(init=False)
    empty: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        """Weigh."""
        assert self.site.worker is not None
        worker = psutil.Process(self.site.worker.pid)
        self.parts = {"API": [self.site.api], "worker": [worker, *worker.children()], "Redis": [self.site.redis]}
        self.empty = {part: sum(map(rss, processes)) for part, processes in self.parts.items()}

    def phase(self, step: Callable[[], object]) -> Phase:
        """Measure one phase."""
        for each in self._processes():
            forget_peak(each)
        before, began = self._cpu(), time.perf_counter()
        step()
        seconds, after = time.perf_counter() - began, self._cpu()
        peaks = {part: float(sum(map(peak, each)) - self.empty[part]) for part, each in self.parts.items()}
        return Phase(seconds, {part: after[part] - before[part] for part in PARTS}, peaks)

    def kept(self) -> dict[str, int]:
        """Return what everything weighs more than at first."""
        return {part: sum(map(rss, each)) - self.empty[part] for part, each in self.parts.items()}

    def _processes(self) -> Iterator[psutil.Process]:
        return (process for processes in self.parts.values() for process in processes)

    def _cpu(self) -> dict[str, float]:
        return {part: sum(map(cpu, each)) for part, each in self.parts.items()}


def rss(process: psutil.Process) -> int:
    """Return the memory that a process has now, in bytes."""
    return int(process.memory_info().rss)


def cpu(process: psutil.Process) -> float:
    """Return the seconds of CPU that a process has used; to the nanosecond, where psutil knows hundredths."""
    threads = Path(f"/proc/{process.pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def peak(process: psutil.Process) -> int:
    """Return the most that a process has had since its peak was forgotten, in bytes."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def forget_peak(process: psutil.Process) -> None:
    """Have the system count a process's peak anew."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def one(scale: Scale, size: int) -> dict[str, Phase]:
    """Take one task through its phases, with a connection of its own."""
    line, request = Line(scale.site.port), large_submit(size)
    redis, answers = scale.site.server.client, dict[str, Answer]()

    def submit() -> None:
        answers["submit"] = line.timed(request, status=202)[1]

    def download() -> None:
        answers["download"] = line.timed(get(path))[1]

    phases = {"submit": scale.phase(submit)}
    id = id_in(answers["submit"])
    path, record = f"/task/{id}", f"penstock:task:{id}"
    phases["run"] = scale.phase(
        lambda: eventually(lambda: redis.hget(record, "status") == b"succeeded", within=WITHIN, every=LOOK_SECONDS)
    )
    phases["download"] = scale.phase(download)
    assert answers["download"].body.count(request[-size:-2]) == 1
    phases["poll, not modified"] = scale.phase(lambda: line.timed(get(path, "If-None-Match: *"), status=304))
    line.ask(delete(path))
    line.close()
    return phases


def table(site: Site, size: int, times: int) -> Table:
    """Return the table of some tasks, one after the other; what is shown is the median."""
    one(Scale(site), WARM_UP)
    scale = Scale(site)
    found = [one(scale, size) for _ in range(times)]
    made = Table(f"one task of {size / 1e6:g} MB in and out, alone: the median of {times}", COLUMNS)
    for phase in PHASES:
        made.add(phase, *row([each[phase] for each in found], size))
    kept = scale.kept()
    made.add("kept when all is over, and deleted", None, None, None, None, *(kept[part] / size for part in PARTS))
    return made


def row(found: list[Phase], size: int) -> list[Cell]:
    """Return what a phase's row says after its name."""
    cpus = [median(each.cpu[part] for each in found) * 1000 for part in PARTS]
    peaks = [median(each.peak[part] for each in found) / size for part in PARTS]
    return [median(each.seconds for each in found) * 1000, *cpus, *peaks]
