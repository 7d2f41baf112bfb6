"""What the API counts by itself, and under which few names."""

from typing import Any

import pytest

from api.metering import PROBLEM, Metering, route_of


def scope(method: str, path: str, problem: str = "") -> dict[str, Any]:
    return {"method": method, "path": path, **({PROBLEM: problem} if problem else {})}


def samples(metering: Metering, name: str) -> dict[tuple[str, ...], float]:
    """The values of a metric, by those of its labels."""
    found = (sample for family in metering.collect() for sample in family.samples if sample.name == name)
    return {tuple(sample.labels.values()): sample.value for sample in found}


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/task", "/task"),
        ("POST", "/task/digits", "/task/{model}"),
        ("GET", "/task/018f", "/task/{task_id}"),
        ("DELETE", "/task/018f", "/task/{task_id}"),
        ("GET", "/task/018f/events", "/task/{task_id}/events"),
        ("POST", "/task/018f/cancel", "/task/{task_id}/cancel"),
        ("POST", "/task/018f/retry", "/task/{task_id}/retry"),
        ("POST", "/task/018f/anything", "other"),
        ("GET", "/models/digits", "/models/{model}"),
        ("GET", "/readyz", "/readyz"),
        ("GET", "/docs/swagger.css", "/docs"),
        ("GET", "/", "/"),
        ("GET", "", "other"),
        ("GET", "*", "other"),
        ("GET", "/task/", "/task/{task_id}"),
        ("GET", "/wp-login.php", "other"),
        ("GET", "/a/b/c/d", "other"),
    ],
)
def test_a_path_is_counted_under_its_route(method: str, path: str, route: str) -> None:
    assert route_of(method, path) == route


def test_requests_are_counted_by_route_and_status() -> None:
    metering = Metering(("echo",))
    for path, status in (("/task/1", 200), ("/task/2", 200), ("/task/3", 404)):
        metering.answered(scope("GET", path), status, 0.004)

    assert samples(metering, "penstock_http_requests_total") == {
        ("GET", "/task/{task_id}", "200"): 2,
        ("GET", "/task/{task_id}", "404"): 1,
    }
    assert samples(metering, "penstock_http_request_seconds_count") == {("/task/{task_id}",): 3}
    buckets = samples(metering, "penstock_http_request_seconds_bucket")
    assert [buckets["/task/{task_id}", bound] for bound in ("0.0025", "0.005", "+Inf")] == [0, 3, 3]


def test_refused_submits_are_counted_by_model_and_reason_and_nothing_else_is() -> None:
    metering = Metering(("echo", "other"))
    for path, problem in (
        ("/task", "queue-full"),
        ("/task/echo", "invalid-input"),
        ("/task/other", "queue-full"),
        ("/task/nobody-knows", "unknown-model"),
    ):
        metering.answered(scope("POST", path, problem), 400, 0)
    metering.answered(scope("POST", "/task/1/cancel", "task-finished"), 409, 0)
    metering.answered(scope("GET", "/task/1", "unknown-task"), 404, 0)
    metering.answered(scope("POST", "/task/echo"), 202, 0)

    assert samples(metering, "penstock_tasks_rejected_total") == {
        ("echo", "queue-full"): 1,
        ("echo", "invalid-input"): 1,
        ("other", "queue-full"): 1,
        ("", "unknown-model"): 1,
    }


def test_a_client_makes_no_new_names() -> None:
    metering = Metering(("echo",))
    for n in range(20):
        metering.answered(scope(f"METHOD{n}", f"/path{n}"), 405, 0)

    assert samples(metering, "penstock_http_requests_total") == {("other", "other", "405"): 20}


def test_what_the_ledger_did_not_answer_is_counted() -> None:
    metering = Metering(())
    for reason in ("unreachable", "unreachable", "refused"):
        metering.missed(reason)

    assert samples(metering, "penstock_ledger_errors_total") == {("unreachable",): 2, ("refused",): 1}
