"""One run: start the system, load it, strike it, let it settle, and hand back everything that was seen."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults import logs
from tests.faults.armed import HANDS
from tests.faults.endings import SETTLED_SECONDS
from tests.faults.faults import Storm
from tests.faults.load import Load
from tests.faults.observations import History, Setup
from tests.faults.observer import notice_pauses
from tests.faults.patience import until
from tests.faults.probe import capacity
from tests.faults.scene import Scene
from tests.faults.schedule import plans
from tests.faults.system import running
from tests.faults.workload import arrivals

LOOK_SECONDS = 0.25
PROGRESS_SECONDS = 10.0
READERS = 16  # finished tasks that are read at the same time at the very end


@dataclass(frozen=True, slots=True)
class Options:
    """How long and how hard. The run goes on until both counts are reached, or for so many seconds if that is given."""

    seed: int
    faults: int
    tasks: int
    pace: float = 1.0  # faults a second
    seconds: float = 0.0

    def is_enough(self, history: History, elapsed: float) -> bool:
        if self.seconds and elapsed >= self.seconds:
            return True
        return len(history.faults) >= self.faults and len(history.tasks) >= self.tasks

    @property
    def rate(self) -> float:
        """Tasks a second."""
        return self.tasks / self.faults * self.pace


@dataclass(frozen=True, slots=True)
class Result:
    """What a run saw, and of what."""

    options: Options
    history: History
    server: str
    logs: Path
    seconds: float


def run(options: Options, directory: Path, say: Callable[[str], None]) -> Result:
    return asyncio.run(_run(options, directory, say))


async def _run(options: Options, directory: Path, say: Callable[[str], None]) -> Result:
    history, began = History(setup=Setup()), time.monotonic()
    async with running(history.setup, directory) as system:
        info = await asyncio.to_thread(system.server.client.info, "server")
        load = Load(history, system.urls, options.seed)
        observing = asyncio.create_task(notice_pauses(history.pauses))
        try:
            await _strike_under_load(options, Scene(system, load, history), say)
            await _settle(Scene(system, load, history))
        finally:
            observing.cancel()
            await load.close()
        history.executions = logs.executions(system.executions)
        history.hands = logs.hands(system.points / HANDS)
        history.exits = list(system.exits)
        logs.take_in(history, system.logs.glob("worker-*.log"))
    server = f"{info.get('server_name', 'redis')} {info.get('valkey_version') or info['redis_version']}"
    return Result(options, history, server, system.logs, time.monotonic() - began)


async def _strike_under_load(options: Options, scene: Scene, say: Callable[[str], None]) -> None:
    """Load and strike until it is enough and everything is restored."""
    storm = Storm(scene)
    loading = asyncio.create_task(scene.load.run(arrivals(options.seed, options.rate)))
    striking = asyncio.create_task(storm.run(plans(options.seed, options.pace)))
    rereading = asyncio.create_task(_reread(scene, options.seed))
    telling = asyncio.create_task(_tell(scene, say))
    began = time.monotonic()
    await until(
        lambda: loading.done() or striking.done() or options.is_enough(scene.history, time.monotonic() - began),
        every=LOOK_SECONDS,
    )
    storm.stop()
    scene.load.stop()
    await asyncio.gather(loading, striking)
    await storm.over()
    await scene.system.ready()
    for watcher in (telling, rereading):
        watcher.cancel()
    scene.history.over = time.monotonic()


async def _settle(scene: Scene) -> None:
    """Let every task end; then look what is there, and read every task once more."""
    history = scene.history
    await scene.load.settled(within=history.setup.lease_seconds + SETTLED_SECONDS)
    history.capacity = await capacity(scene)
    gate = asyncio.Semaphore(READERS)

    async def read(task) -> None:
        async with gate:
            await scene.load.read_again(task)

    await asyncio.gather(*(read(task) for task in history.tasks if task.final))


async def _reread(scene: Scene, seed: int) -> None:
    """Read tasks that are final again: they must not change, whatever still comes late for them."""
    chance = random.Random(f"again {seed}")
    while True:
        await asyncio.sleep(chance.uniform(0.1, 0.5))
        recent = scene.history.tasks[-50:]
        if recent and (task := chance.choice(recent)).final:
            await scene.load.look_again(task)


async def _tell(scene: Scene, say: Callable[[str], None]) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        history, seconds = scene.history, time.monotonic() - began
        say(f"{seconds:5.0f} s  {len(history.faults)} faults  {len(history.tasks)} tasks, {len(scene.load.open)} open")
