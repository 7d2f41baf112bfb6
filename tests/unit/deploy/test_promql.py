import pytest

from tests.unit.deploy.promql import metrics, misused, recorded


def test_metrics_are_found_and_labels_are_not() -> None:
    expression = 'sum(rate(penstock_http_requests_total{namespace="penstock"}[5m])) + penstock:workers + a_penstock_b'

    assert metrics(expression) == {"penstock_http_requests_total"}
    assert recorded(f"{expression} / penstock:http_requests:rate5m") == {
        "penstock:workers",
        "penstock:http_requests:rate5m",
    }


@pytest.mark.parametrize(
    "expression",
    [
        "max by (model) (penstock_tasks_queued)",
        "sum(max by (model) (rate(penstock_attempts_total[5m])))",
        "max(penstock_callbacks_pending)",
        "sum by (status) (\n  rate(penstock_http_requests_total[5m]))",
        "penstock_ledger_up == 0",
    ],
)
def test_what_is_added_up_rightly(expression: str) -> None:
    assert misused(expression) == []


@pytest.mark.parametrize(
    "expression",
    [
        "penstock_tasks_queued > 1",
        "sum by (model) (penstock_tasks_queued)",
        "sum(rate(penstock_attempts_total[5m]))",
        "rate(penstock_http_requests_total[5m])",
        "max by (status) (rate(penstock_http_requests_total[5m]))",
    ],
)
def test_what_is_added_up_wrongly(expression: str) -> None:
    assert len(misused(expression)) == 1
