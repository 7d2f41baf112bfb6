"""A history that breaks no invariant. Those that break one are in the tests named after its module."""

from tests.faults.histories import good
from tests.faults.invariants import violations


def test_a_good_history_violates_nothing() -> None:
    assert violations(good()) == []
