"""GET /metrics: what there is and what has happened, as Prometheus reads it.

What is of tasks comes from the ledger, so every process tells the same: aggregate it over them with `max`, not `sum`.
What is of requests is of the processes behind this address.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.ledger import BoundedLedger
from api.metering import Metering
from api.problems import Problem
from shared.ledger import calls
from shared.ledger.counts import SIZES, TIMES_MS, Counts, Distribution, ModelCounts
from shared.task import ErrorCode, Status

SECONDS = tuple(ms / 1000 for ms in TIMES_MS)
# Told from the first scrape on: what appears when it happens for the first time has not grown, as Prometheus sees it.
ENDINGS = {
    (Status.SUCCEEDED.value, ""): 0,
    **{(Status.FAILED.value, code.value): 0 for code in ErrorCode},
    (Status.CANCELED.value, ""): 0,
}


class MetricsEndpoint:
    """What answers under /metrics."""

    def __init__(self, ledger: BoundedLedger, metering: Metering, models: Sequence[str], version: str) -> None:
        self._ledger = ledger
        self._metering = metering
        self._models = models
        self._version = version

    def routes(self) -> list[BaseRoute]:
        """Return the routes of this endpoint."""
        return [Route("/metrics", self.metrics)]

    async def metrics(self, request: Request) -> Response:
        """GET /metrics: 200 also while Redis is away, without what only Redis knows."""
        try:
            counts = await self._ledger.run(calls.count(self._models))
        except Problem:
            counts = None
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        page = Page([*families(counts, self._version), *self._metering.collect()])
        return Response(encode(page), headers={"Cache-Control": "no-store", "Content-Type": media_type})


class Page:
    """Families of metrics, as prometheus-client's encoders want them."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Return the families."""
        return self._families


def families(counts: Counts | None, version: str) -> Iterator[Metric]:
    """Yield what the ledger tells; of one that is away only that it is."""
    info = GaugeMetricFamily("penstock_build_info", "The version that serves", labels=("version",))
    info.add_metric((version,), 1)
    yield info
    yield GaugeMetricFamily("penstock_ledger_up", "Whether Redis answered when this was asked", int(counts is not None))
    if counts is not None:
        yield from _gauges(counts.models)
        yield from _counters(counts.models)
        yield from _histograms(counts.models)
        yield GaugeMetricFamily(
            "penstock_callbacks_pending", "Callbacks that are yet to be delivered", counts.deliveries
        )


def _gauges(models: Mapping[str, ModelCounts]) -> Iterator[Metric]:
    queued = GaugeMetricFamily("penstock_tasks_queued", "Tasks that wait", labels=("model",))
    running = GaugeMetricFamily("penstock_tasks_running", "Tasks that a live worker holds", labels=("model",))
    oldest = GaugeMetricFamily(
        "penstock_tasks_oldest_queued_seconds", "How long the oldest queued task has waited", labels=("model",)
    )
    workers = GaugeMetricFamily("penstock_workers", "Live workers that have loaded the model", labels=("model",))
    slots = GaugeMetricFamily("penstock_slots", "Tasks of the model that can run at once", labels=("model",))
    for name, model in models.items():
        queued.add_metric((name,), model.queued)
        running.add_metric((name,), model.running)
        oldest.add_metric((name,), model.oldest_queued_ms / 1000)
        workers.add_metric((name,), len(model.slots))
        slots.add_metric((name,), sum(model.slots.values()))
    yield from (queued, running, oldest, workers, slots)


def _counters(models: Mapping[str, ModelCounts]) -> Iterator[Metric]:
    finished = CounterMetricFamily(
        "penstock_tasks_finished", "Tasks that ended, and how", labels=("model", "status", "code")
    )
    for name, model in models.items():
        for (status, code), number in {**ENDINGS, **model.ended}.items():
            finished.add_metric((name, status, code), number)
    yield finished
    for metric, text, field in (
        ("penstock_tasks_submitted", "Tasks accepted", "submitted"),
        ("penstock_tasks_retried", "Ended tasks that a client had queued again", "retried"),
        ("penstock_attempts", "Attempts begun", "claimed"),
        ("penstock_attempts_lost", "Attempts that ended with a dead worker or an expired lease", "lost"),
        ("penstock_attempts_released", "Attempts given back unfinished, by a worker that stopped", "released"),
        ("penstock_messages_resent", "Messages that were lost on their way and sent again", "resent"),
    ):
        family = CounterMetricFamily(metric, text, labels=("model",))
        for name, model in models.items():
            family.add_metric((name,), getattr(model, field))
        yield family


def _histograms(models: Mapping[str, ModelCounts]) -> Iterator[Metric]:
    for metric, text, field in (
        ("penstock_task_wait_seconds", "From the submit to the latest start, of tasks that ran", "wait_ms"),
        ("penstock_task_run_seconds", "The latest attempt, of tasks that ran", "run_ms"),
        ("penstock_task_seconds", "From the submit to the end, of all tasks that ended", "whole_ms"),
        ("penstock_model_load_seconds", "Loads of the model by workers and their children", "load_ms"),
    ):
        family = HistogramMetricFamily(metric, text, labels=("model",))
        for name, model in models.items():
            times: Distribution = getattr(model, field)
            family.add_metric((name,), cumulative(times, SECONDS), times.sum / 1000)
        yield family
    batches = HistogramMetricFamily("penstock_batch_size", "Tasks that were claimed together", labels=("model",))
    for name, model in models.items():
        batches.add_metric((name,), cumulative(model.batch, SIZES), model.batch.sum)
    yield batches


def cumulative(found: Distribution, bounds: Sequence[float]) -> list[tuple[str, float]]:
    """Return the buckets as Prometheus has them: how many values each bound is not below."""
    return list(zip([*map(floatToGoString, bounds), "+Inf"], accumulate(found.buckets), strict=True))
