"""The same seed gives the same faults and the same load."""

from collections import Counter
from itertools import islice

import pytest

from tests.faults.faults import KINDS
from tests.faults.schedule import HEAVY_WEIGHTS, WEIGHTS, plans
from tests.faults.workload import arrivals


def test_a_seed_decides_everything() -> None:
    assert list(islice(plans(7), 300)) == list(islice(plans(7), 300))
    assert list(islice(plans(7), 300)) != list(islice(plans(8), 300))
    assert list(islice(arrivals(7, 5.0), 300)) == list(islice(arrivals(7, 5.0), 300))


def test_every_kind_has_its_function() -> None:
    assert {*WEIGHTS, *HEAVY_WEIGHTS} == set(KINDS)


@pytest.mark.parametrize("pace", [1.0, 3.0])
def test_faults_come_at_the_pace_asked_for(pace: float) -> None:
    several = list(islice(plans(1, pace), 3000))
    assert len(several) / sum(plan.wait for plan in several) == pytest.approx(pace, rel=0.15)


def test_every_kind_comes_in_a_thousand() -> None:
    assert set(Counter(plan.kind for plan in islice(plans(1), 1000))) == set(KINDS)


def test_tasks_come_at_the_rate_asked_for() -> None:
    several = list(islice(arrivals(1, 5.0), 5000))
    assert len(several) / sum(wait for wait, _ in several) == pytest.approx(5.0, rel=0.15)
    assert len({asked.token for _, asked in several}) == len(several)
