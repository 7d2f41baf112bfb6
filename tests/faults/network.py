"""Faults between the processes: connections that break, a worker that is cut off, messages doubled and lost."""

import asyncio
import json

import redis

from tests.faults.observations import Fault
from tests.faults.scene import Scene, Struck, now, pick
from tests.faults.schedule import Plan
from tests.faults.system import QUEUES

POP_SECONDS = 3  # how long a message is waited for
LATE_COPY = 0.7  # of SHORT's longest: a copy that comes late finds its task finished


async def cut_connection(scene: Scene, plan: Plan) -> Struck:
    """Have the server close one connection of anyone's but ours."""
    struck = now()
    try:
        closed = await asyncio.to_thread(_kill_one, scene.system.server.client, plan.victim)
    except redis.RedisError:
        return []
    return [Fault(plan.kind, struck, now(), everyone=True)] if closed else []


async def cut_worker(scene: Scene, plan: Plan) -> Struck:
    """Let nothing of one worker through, in either direction, while its connections stay open."""
    unit = await scene.occupied_worker(plan) if "past" in plan.kind else scene.worker(plan)
    proxy = scene.system.proxies[scene.system.workers.index(unit)]
    if unit.lock.locked():
        return []
    async with unit.lock:
        pids, struck = frozenset({unit.pid or 0, *unit.children()}), now()
        proxy.cut()
        holding = asyncio.create_task(scene.held_by(unit.pid))
        await asyncio.sleep(plan.seconds)
        proxy.heal()
        healed = now()
    return [Fault(plan.kind, struck, healed, hinders=True, pids=pids, tasks=await holding)]


async def reset_worker(scene: Scene, plan: Plan) -> Struck:
    """Break every connection of one worker at once."""
    unit = scene.worker(plan)
    struck = now()
    scene.system.proxies[scene.system.workers.index(unit)].reset()
    return [Fault(plan.kind, struck, now(), hinders=True, pids=frozenset({unit.pid or 0}))]


async def double_message(scene: Scene, plan: Plan) -> Struck:
    """Put a message that a worker would have popped into its queue twice; or again once its task may be over."""
    popped = await _pop(scene)
    if popped is None:
        return []
    queue, message = popped
    struck, client = now(), scene.system.server.client
    try:
        await asyncio.to_thread(client.rpush, queue, message)
        if plan.seconds > LATE_COPY:
            await asyncio.sleep(plan.seconds)
        await asyncio.to_thread(client.rpush if plan.victim < 0.5 else client.lpush, queue, message)
    except redis.RedisError:
        pass  # then it is lost: a fault all the same
    return [Fault(plan.kind, struck, struck, tasks=frozenset({_task(message)}))]


async def lose_message(scene: Scene, plan: Plan) -> Struck:
    """Pop a message and do nothing: what a worker does that dies right then."""
    popped = await _pop(scene)
    struck = now()
    return [Fault(plan.kind, struck, struck, tasks=frozenset({_task(popped[1])}))] if popped else []


async def _pop(scene: Scene) -> tuple[bytes, bytes] | None:
    """Wait in line with the workers for the next message; return it and the list that it was in."""
    try:
        return await asyncio.to_thread(scene.system.server.client.brpop, QUEUES, POP_SECONDS)
    except redis.RedisError:
        return None


def _task(message: bytes) -> str:
    return str(json.loads(message)["headers"]["id"])


def _kill_one(client: redis.Redis, victim: float) -> bool:
    """Choose among those that came over TCP: the harness uses the unix socket."""
    others = [item["id"] for item in client.client_list() if item["addr"].startswith("127.")]
    return bool(others) and bool(client.client_kill_filter(_id=pick(others, victim)))
