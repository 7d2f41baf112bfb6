"""The observer itself may stand still, on a machine that is busy with something else: then nobody else was slow."""

import asyncio
import time

from tests.faults.observations import Pause

LOOK_SECONDS = 0.02
NOTED_SECONDS = 0.1


async def notice_pauses(pauses: list[Pause]) -> None:
    """Note whenever this event loop, which asks and times everything, stood still."""
    while True:
        due = time.monotonic() + LOOK_SECONDS
        await asyncio.sleep(LOOK_SECONDS)
        if (late := time.monotonic() - due) > NOTED_SECONDS:
            pauses.append(Pause(due, late))


def seconds_without(pauses: list[Pause], began: float, ended: float) -> float:
    """Return how long something took, less the time in which the observer, and so the machine, stood still."""
    overlaps = (min(ended, pause.began + pause.seconds) - max(began, pause.began) for pause in pauses)
    return ended - began - sum(overlap for overlap in overlaps if overlap > 0)
