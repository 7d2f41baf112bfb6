"""What the ledger has counted, as Prometheus reads it."""

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from api.metrics import Page, cumulative, families
from shared.ledger.counts import SIZES, TIMES_MS, Counts, Distribution, ModelCounts
from shared.task import ErrorCode

TIMES = Distribution((1, *[0] * (len(TIMES_MS) - 1), 2), 7_500)
NOTHING = ModelCounts(
    queued=0,
    running=0,
    oldest_queued_ms=0,
    slots={},
    submitted=0,
    retried=0,
    ended={},
    claimed=0,
    lost=0,
    released=0,
    resent=0,
    wait_ms=Distribution((0,) * (len(TIMES_MS) + 1), 0),
    run_ms=Distribution((0,) * (len(TIMES_MS) + 1), 0),
    whole_ms=Distribution((0,) * (len(TIMES_MS) + 1), 0),
    load_ms=Distribution((0,) * (len(TIMES_MS) + 1), 0),
    batch=Distribution((0,) * (len(SIZES) + 1), 0),
)
BUSY = replace(
    NOTHING,
    queued=3,
    running=2,
    oldest_queued_ms=1_500,
    slots={"one": 2, "two": 4},
    submitted=11,
    ended={("succeeded", ""): 4, ("failed", "timeout"): 2},
    run_ms=TIMES,
)


def samples(counts: Counts | None) -> dict[str, dict[tuple[str, ...], float]]:
    """Every metric of the page, read back: by name, and by the values of its labels in the order of their names."""
    text = generate_latest(Page(families(counts, "1.2.3"))).decode()
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(value for _, value in sorted(sample.labels.items()))] = sample.value
    return found


def test_every_model_has_every_metric_also_before_its_first_task() -> None:
    found = samples(Counts({"quiet": NOTHING, "busy": BUSY}, 0))

    by_model = {name for name, values in found.items() if ("busy",) in values}
    assert by_model == {name for name, values in found.items() if ("quiet",) in values}
    assert len(by_model) > 15


def test_it_tells_what_was_counted() -> None:
    found = samples(Counts({"busy": BUSY}, 5))

    assert found["penstock_tasks_queued"] == {("busy",): 3}
    assert found["penstock_tasks_running"] == {("busy",): 2}
    assert found["penstock_tasks_oldest_queued_seconds"] == {("busy",): 1.5}
    assert found["penstock_workers"] == {("busy",): 2}
    assert found["penstock_slots"] == {("busy",): 6}
    assert found["penstock_tasks_submitted_total"] == {("busy",): 11}
    finished = found["penstock_tasks_finished_total"]
    assert {labels: number for labels, number in finished.items() if number} == {
        ("", "busy", "succeeded"): 4,
        ("timeout", "busy", "failed"): 2,
    }
    assert len(finished) == 2 + len(ErrorCode)  # each way to end, also before it was taken
    assert found["penstock_callbacks_pending"] == {(): 5}
    assert found["penstock_ledger_up"] == {(): 1}
    assert found["penstock_build_info"] == {("1.2.3",): 1}


def test_a_histogram_is_cumulative_and_in_seconds() -> None:
    found = samples(Counts({"busy": BUSY}, 0))

    buckets = found["penstock_task_run_seconds_bucket"]
    assert buckets["0.005", "busy"] == buckets["86400.0", "busy"] == 1
    assert buckets["+Inf", "busy"] == found["penstock_task_run_seconds_count"]["busy",] == 3
    assert found["penstock_task_run_seconds_sum"]["busy",] == 7.5


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [((1, 0, 2), [("1.0", 1), ("2.5", 1), ("+Inf", 3)]), ((0, 0, 0), [("1.0", 0), ("2.5", 0), ("+Inf", 0)])],
)
def test_buckets_add_up(buckets: tuple[int, ...], expected: Any) -> None:
    assert cumulative(Distribution(buckets, 0), (1, 2.5)) == expected


def test_without_the_ledger_it_says_so_and_no_more() -> None:
    assert samples(None) == {"penstock_ledger_up": {(): 0}, "penstock_build_info": {("1.2.3",): 1}}


def test_openmetrics_can_read_it_too() -> None:
    text = generate_openmetrics(Page(families(Counts({"busy": BUSY}, 0), "1.2.3"))).decode()

    assert "penstock_task_run_seconds" in {family.name for family in read_openmetrics(text)}
