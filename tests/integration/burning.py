"""Tasks of the burn model, and the children that run them."""

from typing import Any

import psutil

from tests.integration.client import Client
from tests.waiting import eventually


def started(client: Client, how: str, **more: Any) -> tuple[str, psutil.Process]:
    """Submit a task that burns, wait until it is about to, and return its id and the child that runs it."""
    task_id = client.submit("burn", how=how, **more)["task_id"]
    progress = eventually(lambda: client.get(task_id)["progress"], every=0.005)
    return task_id, psutil.Process(int(progress["message"]))


def is_dead(child: psutil.Process) -> bool:
    try:
        return not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
