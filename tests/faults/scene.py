"""What a fault is struck in: the system, its load, and what they look like now."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, TypeVar

import redis

from tests.faults.load import Load
from tests.faults.logs import executions
from tests.faults.observations import MODELS, TOGETHER, Asked, Execution, Fault, History
from tests.faults.patience import until
from tests.faults.schedule import Plan
from tests.faults.system import System
from tests.faults.unit import Unit

T = TypeVar("T")
LEASES = [f"penstock:leases:{model}" for model in MODELS]
RUNNING_SECONDS = 6.0
COMPANY = 4
LONG_SECONDS = 2.9
BUSY_SHARE = 0.8  # of the children that are hit, where there is a choice


@dataclass(frozen=True, slots=True)
class Scene:
    """The system under load."""

    system: System
    load: Load
    history: History

    def worker(self, plan: Plan) -> Unit:
        """Return a worker, rather one that runs a task."""
        busy = {run.parent for run in self.busy()}
        return self._rather([unit for unit in self.system.workers if unit.pid in busy], self.system.workers, plan)

    def api(self, plan: Plan) -> Unit:
        return pick(self.system.apis, plan.victim)

    def busy(self) -> list[Execution]:
        """Return the latest execution of every task under way, oldest first."""
        tokens = {task.asked.token for task in self.load.open.values()}
        latest = {run.token: run for run in executions(self.system.executions) if run.token in tokens}
        return list(latest.values())

    async def occupied_worker(self, plan: Plan) -> Unit:
        """Return a worker that has just begun a long task, for what is to last longer than that task."""
        unit = self.worker_of(await self.running(self.begin(plan, seconds=LONG_SECONDS)))
        return unit or self.worker(plan)

    def begin(self, plan: Plan, **more: Any) -> Asked:
        """Have a client submit a task for the sake of a fault."""
        asked = Asked(f"for {plan.kind} {plan.point} {now():.9f}", **more)
        self.load.begin(asked)
        return asked

    def begin_together(self, plan: Plan, behave: str = "succeed", **more: Any) -> list[Asked]:
        """Have clients submit as many tasks at once as make a small batch; the second behaves as said."""
        return [
            self.begin(plan, model=TOGETHER, behave=behave if n == 1 else "succeed", **more) for n in range(COMPANY)
        ]

    async def running(self, *asked: Asked) -> Execution | None:
        """Wait until one of these tasks runs; if there are several, in a batch."""
        tokens = {each.token for each in asked}
        return await until(
            lambda: next(
                (run for run in self.busy() if run.token in tokens and (run.is_batch or len(asked) == 1)), None
            ),
            within=RUNNING_SECONDS,
        )

    async def held_by(self, parent: int | None) -> frozenset[str]:
        """Return the tasks whose claims a worker holds: some may have been claimed and never begun.

        Nothing while the server cannot be asked; then it is itself what hinders.
        """
        try:
            return await asyncio.to_thread(_held_by, self.system.server.client, parent)
        except redis.RedisError:
            return frozenset()

    def worker_of(self, run: Execution | None) -> Unit | None:
        return next((unit for unit in self.system.workers if run and unit.pid == run.parent), None)

    def child(self, plan: Plan) -> int | None:
        """Return a child, rather one that runs a task."""
        ready = [unit for unit in self.system.workers if unit.ready.is_set()]
        children = [pid for unit in ready for pid in unit.children()]
        busy = {run.pid for run in self.busy()}
        return self._rather([pid for pid in children if pid in busy], children, plan) if children else None

    def _rather(self, busy: list[T], everyone: list[T], plan: Plan) -> T:
        """Pick one of the busy ones, as a rule: a fault that hits nothing tells little."""
        share, place = divmod(plan.victim * 10, 1)
        return pick(busy if busy and share / 10 < BUSY_SHARE else everyone, place)

    def fell(self, unit: Unit) -> None:
        """Say that the process of `unit` is about to end by our hand."""
        if unit.pid:
            self.history.felled.add(unit.pid)


def pick(choice: list[T], share: float) -> T:
    """Return the item that a number from 0 up to 1 stands for."""
    return choice[int(share * len(choice))]


def _held_by(client: redis.Redis, parent: int | None) -> frozenset[str]:
    ids = [id.decode() for leases in LEASES for id in client.zrange(leases, 0, -1)]
    holders = [client.hget(f"penstock:task:{id}", "worker") or b"" for id in ids]
    return frozenset(id for id, holder in zip(ids, holders, strict=True) if b"-%d-" % (parent or 0) in holder)


def now() -> float:
    return time.monotonic()


Struck = list[Fault]
"""What a plan has led to: nothing if there was no victim."""
