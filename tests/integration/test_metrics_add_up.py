"""Ten thousand tasks over two API processes and three workers, one of which is killed: the numbers add up exactly."""

import http.client
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.ledger.connection import Ledger
from tests.integration.client import Client
from tests.integration.nodes import WorkerProcess
from tests.waiting import eventually

TASKS = 10_000
SENDERS = 4
SCRAPES = 8  # connections of their own: most likely both processes are asked
SHOWN = {"202", "succeeded", "failed", "canceled"}
BODY = json.dumps({"text": "x"})


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {
        **environment,
        "PENSTOCK_API_PROCESSES": "2",
        "PENSTOCK_MAX_QUEUED": str(TASKS),
        "PENSTOCK_CONCURRENCY": "1",
    }


def send(netloc: str, count: int) -> int:
    """Submit so many tasks over one connection, each until it is accepted; return how often one was sent again."""
    connection = http.client.HTTPConnection(netloc, timeout=30)
    again = 0
    for _ in range(count):
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
        while (answer := submit(connection, headers)) != (202, ""):
            assert answer == (503, "urn:penstock:problem:ledger-unavailable")  # as on a machine that is too busy
            again += 1
    connection.close()
    return again


def submit(connection: http.client.HTTPConnection, headers: dict[str, str]) -> tuple[int, str]:
    """Return the answer's status and, of a problem, the type."""
    connection.request("POST", "/task/echo", BODY, headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read()).get("type", "")


def scrape(netloc: str) -> dict[str, float]:
    """Return the sums of every metric over its labels, save those of histograms' buckets."""
    connection = http.client.HTTPConnection(netloc, timeout=30)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("model", "echo") == "echo" and sample.labels.get("status", "202") in SHOWN:
                sums[sample.name] = sums.get(sample.name, 0) + sample.value
    return sums


def test_the_numbers_add_up(client: Client, ledger: Ledger, add_worker: Callable[..., WorkerProcess]) -> None:
    netloc = client.http.base_url.netloc.decode()
    workers = [add_worker() for _ in range(3)]
    for worker in workers:
        worker.ready()
    with ThreadPoolExecutor(SENDERS) as threads:
        sending = [threads.submit(send, netloc, TASKS // SENDERS) for _ in range(SENDERS)]
        eventually(lambda: scrape(netloc)["penstock_tasks_finished_total"] > TASKS / 10, within=60)
        workers[0].kill()
        again = sum(each.result() for each in sending)
    assert again < TASKS / 100

    eventually(lambda: scrape(netloc)["penstock_tasks_finished_total"] == TASKS, within=90)

    for sums in [scrape(netloc) for _ in range(SCRAPES)]:
        assert sums["penstock_tasks_submitted_total"] == sums["penstock_http_requests_total"] == TASKS
        assert sums["penstock_tasks_finished_total"] == sums["penstock_task_seconds_count"] == TASKS
        assert sums["penstock_task_run_seconds_count"] == sums["penstock_task_wait_seconds_count"] == TASKS
        assert sums["penstock_attempts_total"] == TASKS + sums["penstock_attempts_lost_total"]
        assert sums["penstock_tasks_queued"] == sums["penstock_tasks_running"] == 0
        assert sums["penstock_workers"] == 2
