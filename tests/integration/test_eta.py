"""Whether `queue.eta_seconds` comes true."""

import time
from datetime import datetime
from statistics import median

from tests.integration.client import Client
from tests.integration.nodes import WorkerProcess

TASKS, SECONDS, LOOKS = 10, 1, 3
SOON = 0.2  # of what starts sooner than that, an error in percent says nothing


def test_the_median_guess_is_off_by_less_than_a_quarter(worker: WorkerProcess, client: Client) -> None:
    for task_id in [client.submit("wait", wait_time=SECONDS)["task_id"] for _ in range(2)]:  # how long they take
        client.finished(task_id)
    task_ids = [client.submit("wait", wait_time=SECONDS)["task_id"] for _ in range(TASKS)]

    guesses: list[tuple[str, float, float]] = []  # the task, when it was looked at, what it said
    for _ in range(LOOKS):
        time.sleep(0.7)  # somewhere between two starts
        documents = [(client.get(id), time.time()) for id in task_ids]
        guesses += [(d["task_id"], at, d["queue"]["eta_seconds"]) for d, at in documents if d["status"] == "queued"]

    started = {id: datetime.fromisoformat(client.finished(id)["started_at"]).timestamp() for id in task_ids}
    waits = [(eta, started[id] - looked) for id, looked, eta in guesses if started[id] - looked > SOON]
    assert len(waits) > TASKS
    assert median(abs(eta - waited) / waited for eta, waited in waits) < 0.25
    assert worker.popen.poll() is None
