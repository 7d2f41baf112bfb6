"""The same seed gives the same faults and the same load."""

from collections import Counter
from itertools import islice

import pytest

from tests.faults.crashes import PROVOCATIONS
from tests.faults.faults import KINDS
from tests.faults.observations import TOGETHER
from tests.faults.schedule import CRASHES, HEAVY_WEIGHTS, WEIGHTS, plans
from tests.faults.workload import TOGETHER_BURST, TOGETHER_SHARE, arrivals


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


def test_a_third_of_the_tasks_come_in_bursts_for_the_model_that_batches() -> None:
    several = list(islice(arrivals(1, 5.0), 5000))
    together = [(wait, asked) for wait, asked in several if asked.model == TOGETHER]
    assert len(together) / len(several) == pytest.approx(TOGETHER_SHARE, rel=0.1)
    assert len(together) / sum(wait > 0 for wait, _ in together) == pytest.approx(sum(TOGETHER_BURST) / 2, rel=0.1)


def test_every_crash_point_is_provoked_by_a_way_that_leads_there() -> None:
    steps = {(step, role) for role, of_role in CRASHES.items() for step in of_role}
    assert set(PROVOCATIONS) <= steps
    assert {("proceed", "child"), ("finish", "child"), ("abandon", "child"), ("release", "parent")} <= set(PROVOCATIONS)
