"""What is there when nothing is left to do: children, slots, counts. Looked for until it is right, then reported."""

import asyncio
import os
import time
from collections.abc import Callable

from tests.faults import logs
from tests.faults.observations import MODELS, TOGETHER, Asked, Capacity, Document
from tests.faults.patience import until
from tests.faults.scene import Scene

WITHIN_SECONDS = 15.0
LOOK_SECONDS = 0.2
IDLE = {"queued": 0, "running": 0}
PROBES = 4
PROBE_SECONDS = 2.5  # long enough that a task for each child is handed out meanwhile


async def capacity(scene: Scene) -> Capacity:
    system = scene.system
    at_work = {model: await _most_at_work(scene, model) for model in MODELS}
    await until(
        lambda: all(len(unit.children()) == system.setup.children for unit in system.workers), within=WITHIN_SECONDS
    )
    slots = {"workers": system.setup.workers, "slots": system.setup.workers * system.setup.children}
    ready = await _until(
        scene, "/readyz", lambda found: all(slots.items() <= _served(found, model).items() for model in MODELS)
    )
    models = {
        model: await _until(scene, f"/models/{model}", lambda found: found.get("queue") == IDLE) for model in MODELS
    }
    return Capacity(
        children={unit.name: len(unit.children()) for unit in system.workers},
        at_work=at_work,
        ready={model: _served(ready, model) for model in MODELS},
        queue={model: found.get("queue", {}) for model, found in models.items()},
        left_behind=tuple(pid for unit in system.units for pid in unit.lives if pid != unit.pid and _has_group(pid)),
    )


async def _most_at_work(scene: Scene, model: str) -> int:
    """Try a few times: Celery takes some seconds to come back after the server was away."""
    setup, most = scene.system.setup, 0
    for attempt in range(PROBES):
        most = max(most, await _children_at_work(scene, model, attempt))
        if most == setup.workers * setup.children:
            break
    return most


async def _children_at_work(scene: Scene, model: str, attempt: int) -> int:
    """Submit a task, or a full batch, for every slot at once; return how many different children run at the same time.

    Batches that are not full leave more for the other children, not less.
    """
    setup = scene.system.setup
    count = setup.workers * setup.children * (setup.most_together if model == TOGETHER else 1)
    tokens = {f"probe {model} {attempt}-{n}" for n in range(count)}
    for token in sorted(tokens):
        scene.load.begin(Asked(token, PROBE_SECONDS, model=model))
    await scene.load.settled(within=WITHIN_SECONDS)
    runs = [run for run in logs.executions(scene.system.executions) if run.token in tokens]
    first = min((run.at for run in runs), default=0.0)
    return len({run.pid for run in runs if run.at < first + PROBE_SECONDS})


def _served(ready: Document, model: str) -> Document:
    return ready.get("models", {}).get(model, {})


async def _until(scene: Scene, path: str, is_right: Callable[[Document], bool]) -> Document:
    give_up = time.monotonic() + WITHIN_SECONDS
    while True:
        found = await scene.load.get(path)
        if is_right(found) or time.monotonic() > give_up:
            return found
        await asyncio.sleep(LOOK_SECONDS)


def _has_group(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True
