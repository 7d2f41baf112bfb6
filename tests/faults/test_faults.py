"""The short run of the fault suite: the real system, 230 faults, every invariant. `make faults` is the long run."""

from pathlib import Path

import pytest

from tests.faults.invariants import violations
from tests.faults.report import by_size, story, table
from tests.faults.run import Options, run

BATCHES = 5


@pytest.mark.parametrize("seed", [24, 163])  # together they have every kind of fault
def test_no_accepted_task_is_lost_doubled_or_wrong_whatever_dies(seed: int, tmp_path: Path) -> None:
    result = run(Options(seed, faults=115, tasks=250, pace=3.5), tmp_path, print)

    found = violations(result.history)
    sizes = by_size(result.history)

    print(table(result, found))
    assert not found, story(result, found)
    assert sizes.total() >= BATCHES, "a run without batches tests nothing of them"
    assert max(sizes) == result.history.setup.most_together
