"""Every kind of fault, and the function that strikes it."""

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable, Callable, Iterator

from tests.faults import crashes, network, processes
from tests.faults.observations import Fault
from tests.faults.scene import Scene, Struck
from tests.faults.schedule import Plan

KINDS: dict[str, Callable[[Scene, Plan], Awaitable[Struck]]] = {
    "child killed": processes.kill_child,
    "child frozen": processes.freeze_child,
    "child frozen past the lease": processes.freeze_child,
    "connection cut": network.cut_connection,
    "message doubled": network.double_message,
    "message lost": network.lose_message,
    "crash in a child": crashes.crash,
    "crash in an API": crashes.crash,
    "crash in a parent": crashes.crash,
    "API killed": processes.kill_api,
    "API frozen": processes.freeze_api,
    "worker's parent killed": processes.kill_parent,
    "worker killed": processes.kill_worker,
    "worker's parent frozen": processes.freeze_parent,
    "worker's parent frozen past the lease": processes.freeze_parent,
    "worker frozen": processes.freeze_worker,
    "worker frozen past the lease": processes.freeze_worker,
    "worker's network cut": network.cut_worker,
    "worker's network cut past the lease": network.cut_worker,
    "worker's connections reset": network.reset_worker,
    "server killed": processes.kill_server,
    "server frozen": processes.freeze_server,
    "server frozen past the lease": processes.freeze_server,
    "rolling restart": processes.rolling_restart,
}


class Storm:
    """Strikes the faults of a schedule, each when its time has come, whether or not the last is over."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._strikes: list[asyncio.Task[None]] = []
        self._enough = asyncio.Event()

    @property
    def struck(self) -> list[Fault]:
        return self._scene.history.faults

    async def run(self, plans: Iterator[Plan]) -> None:
        """Strike until `stop`."""
        for plan in plans:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), plan.wait)
            if self._enough.is_set():
                return
            self._begin(plan)

    def stop(self) -> None:
        self._enough.set()

    async def over(self) -> None:
        """Wait until everything that was struck is restored."""
        await asyncio.gather(*self._strikes)

    def _begin(self, plan: Plan) -> None:
        self._strikes.append(asyncio.create_task(self._strike(plan)))

    async def _strike(self, plan: Plan) -> None:
        try:
            self.struck.extend(await KINDS[plan.kind](self._scene, plan))
        except Exception:  # noqa: BLE001 (a defect of the fault's own code: the run fails, with a report)
            self._scene.history.complaints.append(f"'{plan.kind}' did not strike: {traceback.format_exc()}")
