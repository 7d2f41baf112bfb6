"""The metrics that there are, from what /metrics really writes."""

from collections.abc import Iterable

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from api.metering import Metering
from api.metrics import Page, families
from shared.ledger.counts import SIZES, TIMES_MS, Counts, Distribution, ModelCounts

VERSION = "0"


def written(page: Iterable[Metric]) -> list[Metric]:
    """Return families as a reader of the page gets them; without the instants at which a counter began."""
    text = generate_latest(Page(page)).decode()  # type: ignore[arg-type]
    return [found for found in text_string_to_metric_families(text) if not found.name.endswith("_created")]


def counts() -> Counts:
    """Make what the ledger tells when everything has happened once."""
    times = Distribution((1,) * (len(TIMES_MS) + 1), 1)
    sizes = Distribution((1,) * (len(SIZES) + 1), 1)
    model = ModelCounts(
        queued=1,
        running=1,
        oldest_queued_ms=1,
        slots={"worker": 1},
        submitted=1,
        retried=1,
        ended={("succeeded", ""): 1, ("failed", "model_error"): 1},
        claimed=1,
        lost=1,
        released=1,
        resent=1,
        wait_ms=times,
        run_ms=times,
        whole_ms=times,
        load_ms=times,
        batch=sizes,
    )
    return Counts({"echo": model}, 1)


def metered() -> Iterable[Metric]:
    """Make what an API process counts when everything has happened once."""
    metering = Metering(["echo"])
    refused = {"method": "POST", "path": "/task/echo", "penstock.problem": "queue-full"}
    metering.answered(refused, 503, 0.1)
    metering.missed("slow")
    return metering.collect()


def labels(metric: Metric) -> set[str]:
    """Return the labels of a metric; the bound of a bucket is not told as one."""
    return {name for sample in metric.samples for name in sample.labels} - {"le"}


def called(metric: Metric) -> str:
    """Return what people call a metric: of a counter, with the ending of its one series."""
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


PROCESS = written([*families(None, VERSION), *metered()])
LEDGER = [found for found in written(families(counts(), VERSION)) if called(found) not in {*map(called, PROCESS)}]
METRICS = {called(found): found for found in (*LEDGER, *PROCESS)}
NAMES = {sample.name for found in METRICS.values() for sample in found.samples if not sample.name.endswith("_created")}
LEDGER_NAMES = {sample.name for found in LEDGER for sample in found.samples}
