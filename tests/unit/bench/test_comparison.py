import pytest

from bench.comparison import cpu_ms, ratio, rows
from bench.contenders.contender import Measure
from bench.figures import Figure, figure


def rates(*values: float) -> dict[int, Figure]:
    return {number: Figure("submit", value, 10) for number, value in enumerate(values)}


def test_a_ratio_is_taken_within_each_round() -> None:
    # The machine was twice as fast in round 1, and slow in round 2: the medians alone would say 1.0.
    assert ratio(rates(100, 220, 55), rates(50, 110, 100)) == 2.0


def test_a_round_that_one_of_them_misses_does_not_count() -> None:
    assert ratio(rates(100, 300), {1: Figure("submit", 100, 10)}) == 3.0
    assert ratio(rates(100), {}) is None


def test_a_row_has_the_median_and_the_spread_and_both_ratios() -> None:
    rounds = {
        ("penstock", "submit"): rates(300, 100, 200),
        ("fastapi-redis", "submit"): rates(400, 200, 200),
        ("celery-tuned", "submit"): rates(50, 50, 50),
    }
    ours = rows(rounds)[0]  # type: ignore[arg-type]
    assert (ours.median, ours.least, ours.most, ours.rounds, ours.count) == (200, 100, 300, 3, 10)
    assert (ours.to_ceiling, ours.to_tuned) == (0.75, 4.0)


def test_with_wait_is_compared_to_polling_where_nobody_else_can_wait() -> None:
    rounds: dict[tuple[str, Measure], dict[int, Figure]] = {
        ("penstock", "alone_wait"): {0: Figure("alone_wait", 2.0, 10, p99=5.0)},
        ("celery-tuned", "alone"): {0: Figure("alone", 8.0, 10)},
    }
    ours = rows(rounds)[0]
    assert (ours.to_tuned, ours.to_ceiling, ours.p99) == (0.25, None, 5.0)


def test_cpu_is_told_for_one_task_by_part() -> None:
    found = [Figure("drain", 1, 1000, {"api": 1.0, "worker": 2.0}), Figure("drain", 1, 500, {"api": 1.5})]
    assert cpu_ms(found) == {"api": 2.0, "worker": 2.0}


def test_figures_are_rates_shares_and_milliseconds() -> None:
    assert figure("drain", 100, {"seconds": 2.0}, {}).value == 50
    assert figure("burn", 100, {"seconds": 2.0}, {}).value == pytest.approx(0.5)  # 100 x 20 ms on 2 cores in 2 s
    alone = figure("alone", 3, {"seconds": 1.0, "each": [0.003, 0.001, 0.002]}, {})
    assert (alone.value, alone.p99) == (2.0, 3.0)
