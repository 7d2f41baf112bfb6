"""Faults of processes: killed, frozen, told to stop."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable

from tests.faults.observations import Fault
from tests.faults.scene import Scene, Struck, now
from tests.faults.schedule import Plan
from tests.faults.unit import Unit

STOPPED_WITHIN_SECONDS = 15.0  # beyond the drain time


async def kill_child(scene: Scene, plan: Plan) -> Struck:
    child = scene.child(plan)
    if child is None:
        return []
    struck = now()
    _signal([child], signal.SIGKILL)
    return [Fault(plan.kind, struck, struck, pids=frozenset({child}), deadly=True)]


async def freeze_child(scene: Scene, plan: Plan) -> Struck:
    child = scene.child(plan)
    if child is None:
        return []
    pids = frozenset({child})
    struck = now()
    await _freeze(pids, plan.seconds)
    return [Fault(plan.kind, struck, now(), pids=pids, frozen=pids)]


async def kill_parent(scene: Scene, plan: Plan) -> Struck:
    return await _kill_worker(scene, plan, tree=False)


async def kill_worker(scene: Scene, plan: Plan) -> Struck:
    """Kill a worker with all its children, as a machine that goes away would."""
    return await _kill_worker(scene, plan, tree=True)


async def freeze_parent(scene: Scene, plan: Plan) -> Struck:
    return await _freeze_worker(scene, plan, tree=False)


async def freeze_worker(scene: Scene, plan: Plan) -> Struck:
    return await _freeze_worker(scene, plan, tree=True)


async def kill_api(scene: Scene, plan: Plan) -> Struck:
    unit = scene.api(plan)
    if not unit.pid:
        return []
    lives, struck = len(unit.lives), now()
    scene.fell(unit)
    unit.signal(signal.SIGKILL)
    await unit.ready_again(lives)
    return [Fault(plan.kind, struck, struck, now(), everyone=True)]


async def freeze_api(scene: Scene, plan: Plan) -> Struck:
    unit = scene.api(plan)
    if not unit.ready.is_set() or unit.lock.locked():
        return []
    async with unit.lock:
        struck = now()
        await _freeze([unit.pid], plan.seconds)
    return [Fault(plan.kind, struck, now(), everyone=True, api=unit.name)]


async def kill_server(scene: Scene, plan: Plan) -> Struck:
    """Kill the server; it is started again on its append-only file."""
    server = scene.system.server
    if scene.system.server_lock.locked():
        return []
    async with scene.system.server_lock:
        struck = now()
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(plan.seconds)
        await asyncio.to_thread(server.start)
    return [Fault(plan.kind, struck, now(), everyone=True, hinders=True)]


async def freeze_server(scene: Scene, plan: Plan) -> Struck:
    if scene.system.server_lock.locked():
        return []
    async with scene.system.server_lock:
        struck = now()
        with scene.system.server.frozen():
            await asyncio.sleep(plan.seconds)
    return [Fault(plan.kind, struck, now(), everyone=True, hinders=True)]


async def rolling_restart(scene: Scene, plan: Plan) -> Struck:
    """Stop every worker and every API in turn, each once the one before it is back."""
    return [fault for unit in scene.system.units for fault in await _restart(scene, plan, unit)]


async def _restart(scene: Scene, plan: Plan, unit: Unit) -> Struck:
    if not unit.ready.is_set():
        return []
    async with unit.lock:
        return [await stop(scene, plan.kind, unit)] if unit.pid else []


async def stop(scene: Scene, kind: str, unit: Unit) -> Fault:
    """Stop a unit as one does for an upgrade, and wait until its successor is ready."""
    children, lives, struck = frozenset(unit.children()), len(unit.lives), now()
    scene.fell(unit)
    if not await unit.stop(scene.system.setup.drain_seconds + STOPPED_WITHIN_SECONDS):
        scene.history.overstayed.append(f"{unit.name}, process {unit.lives[-1]}, told to stop at {struck:.3f}")
    ended = now()
    await unit.ready_again(lives)
    is_worker = unit in scene.system.workers
    return Fault(f"{kind}: {unit.name[:-2]}", struck, ended, now(), hinders=is_worker, pids=children, deadly=True)


async def _kill_worker(scene: Scene, plan: Plan, *, tree: bool) -> Struck:
    unit = scene.worker(plan)
    if not unit.pid:
        return []
    parent, pids, lives = unit.pid, frozenset({unit.pid, *unit.children()}), len(unit.lives)
    struck = now()
    scene.fell(unit)
    unit.signal(signal.SIGKILL, tree=tree)
    tasks = await scene.held_by(parent)
    await unit.ready_again(lives)
    return [Fault(plan.kind, struck, struck, now(), hinders=True, pids=pids, tasks=tasks, deadly=True)]


async def _freeze_worker(scene: Scene, plan: Plan, *, tree: bool) -> Struck:
    unit = await scene.occupied_worker(plan) if "past" in plan.kind else scene.worker(plan)
    if not unit.ready.is_set() or unit.lock.locked():
        return []
    async with unit.lock:
        children = unit.children()
        stopped = [unit.pid, *children] if tree else [unit.pid]
        pids, struck = frozenset({unit.pid, *children}), now()
        freezing = asyncio.create_task(_freeze(stopped, plan.seconds))
        tasks = await scene.held_by(unit.pid)
        await freezing
    return [Fault(plan.kind, struck, now(), hinders=True, pids=pids, tasks=tasks, frozen=frozenset(stopped))]


async def _freeze(pids: Iterable[int], seconds: float) -> None:
    _signal(pids, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        _signal(pids, signal.SIGCONT)


def _signal(pids: Iterable[int | None], number: int) -> None:
    """Signal these processes; None stands for one that is being started again just now."""
    for pid in pids:
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
