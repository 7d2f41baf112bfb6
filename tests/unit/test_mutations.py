"""A guard that has moved cannot be removed to see whether that is noticed."""

import pytest

from tests.guards import GUARDS, Guard
from tests.mutations import ROOT, mutated


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_every_guard_is_where_the_mutations_look_for_it(guard: Guard) -> None:
    text = (ROOT / guard.file).read_text()

    assert mutated(guard, text) != text
    assert all((ROOT / test).exists() for test in guard.tests)
