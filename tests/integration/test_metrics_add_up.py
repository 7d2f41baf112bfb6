"""Ten thousand tasks over two API processes and three workers, one of which is killed: the numbers add up exactly."""

import http.client
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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


def send(netloc: str, count: int) -> list[tuple[int, str]]:
    """Submit so many tasks over one connection; return each answer's status and, of a problem, what it says."""
    connection = http.client.HTTPConnection(netloc, timeout=30)
    answers = []
    for _ in range(count):
        connection.request("POST", "/task/echo", BODY, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        answers.append((answer.status, "" if answer.status == 202 else text))
    connection.close()
    return answers


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
        answers = [answer for each in sending for answer in each.result()]
    assert len(answers) == TASKS
    assert [answer for answer in answers if answer != (202, "")] == []

    eventually(lambda: scrape(netloc)["penstock_tasks_finished_total"] == TASKS, within=90)

    for sums in [scrape(netloc) for _ in range(SCRAPES)]:
        assert sums["penstock_tasks_submitted_total"] == sums["penstock_http_requests_total"] == TASKS
        assert sums["penstock_tasks_finished_total"] == sums["penstock_task_seconds_count"] == TASKS
        assert sums["penstock_task_run_seconds_count"] == sums["penstock_task_wait_seconds_count"] == TASKS
        assert sums["penstock_attempts_total"] == TASKS + sums["penstock_attempts_lost_total"]
        assert sums["penstock_tasks_queued"] == sums["penstock_tasks_running"] == 0
        assert sums["penstock_workers"] == 2
