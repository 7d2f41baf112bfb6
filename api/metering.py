"""What the API counts by itself: requests, refused submits, and calls that the ledger did not answer.

Everything else that is measured is counted in the ledger, and is the same for every process. This is of the processes
that serve one address: they share it through files in PROMETHEUS_MULTIPROC_DIR, prometheus-client's own way, which
api.processes sets before they start. One process that serves alone keeps it in memory.
"""

import os
from collections.abc import Callable, Collection, Iterable
from http.client import BAD_REQUEST

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import Scope

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
PROBLEM = "penstock.problem"  # in the scope of a request: the kind of problem that it was answered with
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"})
PLAIN = frozenset({"/", "/task", "/models", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json"})
ACTIONS = frozenset({"cancel", "retry", "events"})
SUBMITS = frozenset({"/task", "/task/{model}"})

# A series more for each, which says when its process was started.
disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus-client types it in part


class Metering:
    """The counters of this process."""

    def __init__(self, models: Collection[str]) -> None:
        self._models = models
        self._default = next(iter(models), "")
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "penstock_http_requests", "Requests answered", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "penstock_http_request_seconds",
            "Time until an answer began; a request may ask to be let wait",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self._rejected = Counter(
            "penstock_tasks_rejected", "Submits that were not accepted", ("model", "reason"), registry=registry
        )
        self._errors = Counter(
            "penstock_ledger_errors",
            "Calls of the API that Redis did not answer, or refused",
            ("reason",),
            registry=registry,
        )

    def answered(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request that is being answered."""
        route = route_of(scope["method"], scope["path"])
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(route).observe(seconds)
        if status >= BAD_REQUEST and method == "POST" and route in SUBMITS:
            self._rejected.labels(self._model(scope["path"]), scope.get(PROBLEM, "")).inc()

    def missed(self, reason: str) -> None:
        """Count a call that the ledger did not answer, or refused."""
        self._errors.labels(reason).inc()

    def collect(self) -> Iterable[Metric]:
        """Return what was counted, by every process that serves this address."""
        if DIRECTORY not in os.environ:
            return self._registry.collect()
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # as above
        return together.collect()

    def _model(self, path: str) -> str:
        """Return the model that a submit is for; empty if there is none of that name, of which there are any number."""
        name = path.removeprefix("/task").removeprefix("/") or self._default
        return name if name in self._models else ""


Missed = Callable[[str], None]


def route_of(method: str, path: str) -> str:
    """Return what a request asks for, of which there are few: its path without ids and names."""
    if path in PLAIN:
        return path
    match path.split("/")[1:]:
        case "task", _:
            return "/task/{model}" if method == "POST" else "/task/{task_id}"
        case "task", _, action if action in ACTIONS:
            return f"/task/{{task_id}}/{action}"
        case "models", _:
            return "/models/{model}"
        case "docs", _:
            return "/docs"
    return "other"
