"""Crash points: arm one, bring about what leads there if need be, and see who died."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from tests.faults import processes
from tests.faults.armed import STRUCK
from tests.faults.logs import deaths
from tests.faults.observations import TOGETHER, Asked, Fault
from tests.faults.patience import until
from tests.faults.scene import Scene, Struck, now, pick
from tests.faults.schedule import Plan

PATIENCE_SECONDS = 10.0  # the hard time limit is the slowest way to a crash point
QUEUE = 8  # tasks at once: more than there are children


async def crash(scene: Scene, plan: Plan) -> Struck:
    """Let the next process that comes to the plan's point die there."""
    armed = scene.system.points / plan.point
    if armed.exists():
        return []
    lives = {unit.name: len(unit.lives) for unit in scene.system.units}
    before = len(deaths(scene.system.points / STRUCK))
    armed.touch()
    provocation = asyncio.create_task(_provoke(scene, plan))
    died = await _death(scene, plan.point, before)
    extra = await provocation
    if died is None:
        return extra
    return [*extra, await _fault(scene, plan, died, lives)]


async def _death(scene: Scene, point: str, before: int) -> dict[str, Any] | None:
    """Wait until someone died there; None, and the point is safe again, if nobody came along."""
    died = await until(lambda: _died(scene, point, before), within=PATIENCE_SECONDS)
    if died is not None:
        return died
    try:
        (scene.system.points / point).unlink()
    except FileNotFoundError:  # at the last moment
        return await _death(scene, point, before)
    return None


def _died(scene: Scene, point: str, before: int) -> dict[str, Any] | None:
    found = deaths(scene.system.points / STRUCK)[before:]
    return next((death for death in found if death["point"] == point), None)


async def _fault(scene: Scene, plan: Plan, died: dict[str, Any], lives: dict[str, int]) -> Fault:
    unit = next((unit for unit in scene.system.units if died["pid"] in unit.lives), None)
    restored = 0.0
    if unit:
        scene.history.felled.add(died["pid"])
        await unit.ready_again(lives[unit.name])
        restored = now()
    in_api = plan.point.endswith("api")
    return Fault(
        f"{plan.kind}: {plan.point.rpartition('.')[0]}",
        died["at"],
        died["at"],
        restored,
        deadly=True,
        hinders=plan.point.endswith("parent"),
        everyone=in_api,
        pids=frozenset({died["pid"]}),
        # What an API had in hand it only spoke of: it runs, and then it is one of everyone, or waits its turn.
        tasks=frozenset() if in_api else frozenset(died["subjects"]),
    )


async def _provoke(scene: Scene, plan: Plan) -> Struck:
    """Do what leads to the point, in one of several ways, where the load alone seldom does."""
    script, _, role = plan.point.split(".")
    ways = PROVOCATIONS.get((script, role))
    return await pick(ways, plan.victim)(scene, plan) if ways else []


async def _queue_up(scene: Scene, plan: Plan) -> Struck:
    """Have more to do than there are children, of both models: whoever ends a task claims one in the same step."""
    for n in range(QUEUE):
        scene.begin(plan, seconds=0.2, behave="raise" if n == 0 else "succeed")
    scene.begin_together(plan, seconds=0.2)
    return []


async def _batch_raises(scene: Scene, plan: Plan) -> Struck:
    """Have a batch computed one by one: each task but the last ends by a step of its own."""
    scene.begin_together(plan, behave="raise", seconds=0.1)
    return []


async def _batch_overruns(scene: Scene, plan: Plan) -> Struck:
    scene.begin_together(plan, behave="spin", seconds=0.0)
    return []


async def _batch_canceled(scene: Scene, plan: Plan) -> Struck:
    """Cancel a task of a batch: the others are given back."""
    scene.begin_together(plan, seconds=1.2)
    scene.begin(plan, model=TOGETHER, seconds=1.2, cancel_after=0.5)
    return []


async def _report(scene: Scene, plan: Plan) -> Struck:
    scene.begin(plan, seconds=0.3, reports=3)
    return []


async def _overrun(scene: Scene, plan: Plan) -> Struck:
    scene.begin(plan, seconds=0.0, behave="spin")
    return []


async def _cancel(scene: Scene, plan: Plan) -> Struck:
    scene.begin(plan, seconds=0.5, cancel_after=0.2)
    return []


async def _child_dies(scene: Scene, plan: Plan) -> Struck:
    """Kill a child at work: its successor takes the task back, and dies of it."""
    return await _kill_at_work(scene, [scene.begin(plan, seconds=2.0)])


async def _batchs_child_dies(scene: Scene, plan: Plan) -> Struck:
    return await _kill_at_work(scene, scene.begin_together(plan, seconds=2.0))


async def _kill_at_work(scene: Scene, asked: list[Asked]) -> Struck:
    run = await scene.running(*asked)
    if run is None:
        return []
    struck = now()
    try:
        os.kill(run.pid, signal.SIGKILL)
    except ProcessLookupError:
        return []
    return [Fault("child killed", struck, struck, pids=frozenset({run.pid}), deadly=True)]


async def _worker_stops(scene: Scene, plan: Plan) -> Struck:
    """Stop a worker whose task goes on for longer than the drain time."""
    unit = scene.worker_of(await scene.running(scene.begin(plan, seconds=3.5)))
    if unit is None or unit.lock.locked():
        return []
    async with unit.lock:
        return [await processes.stop(scene, "worker stopped", unit)]


async def _worker_drains(scene: Scene, plan: Plan) -> Struck:
    """Stop a worker that has time to finish: it claims nothing more."""
    unit = scene.worker_of(await scene.running(scene.begin(plan, seconds=0.5)))
    if unit is None or unit.lock.locked():
        return []
    async with unit.lock:
        return [await processes.stop(scene, "worker stopped", unit)]


PROVOCATIONS: dict[tuple[str, str], list[Callable[[Scene, Plan], Awaitable[Struck]]]] = {
    ("proceed", "child"): [_queue_up],
    ("finish", "child"): [_batch_raises, _worker_drains],
    ("progress", "child"): [_report],
    ("finish", "parent"): [_overrun],
    ("cancel", "api"): [_cancel, _batch_canceled],
    ("abandon", "child"): [_child_dies, _batchs_child_dies],
    ("release", "parent"): [_batch_canceled, _batch_overruns, _worker_stops],
}
