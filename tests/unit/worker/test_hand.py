"""In which portions a child hands in what it has computed."""

import pytest

from shared.ledger.records import Ended
from shared.task import ErrorCode, TaskError
from worker.hand import STEP_BYTES, portions


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([1], [1]),
        ([1, 2, 3], [3]),
        ([STEP_BYTES, 1], [1, 1]),
        ([1, STEP_BYTES - 1, 1], [2, 1]),
        ([2 * STEP_BYTES, 2 * STEP_BYTES], [1, 1]),
    ],
)
def test_large_results_are_handed_in_a_few_at_a_time(sizes: list[int], expected: list[int]) -> None:
    ended = [Ended(str(n), 1, b"x" * size) for n, size in enumerate(sizes)]

    parts = list(portions(ended))

    assert [len(part) for part in parts] == expected
    assert [each for part in parts for each in part] == ended


def test_an_error_weighs_nothing() -> None:
    error = TaskError(ErrorCode.MODEL_ERROR, "no")

    assert len(list(portions([Ended("1", 1, b"x" * STEP_BYTES), Ended("2", 1, error)]))) == 1
