import pytest

from shared.task import Progress
from worker.progress import LONGEST_NOTE, checked


@pytest.mark.parametrize(
    ("fraction", "message", "expected"),
    [
        (0.5, "half", Progress(0.5, "half")),
        (None, "half", Progress(None, "half")),
        (1, None, Progress(1.0, None)),
        (-1, "", Progress(0.0, None)),
        (7, "a\nb", Progress(1.0, "a b")),
        (float("inf"), None, Progress(1.0, None)),
        (0.1, "\ud800", Progress(0.1, "?")),
        (0.1, "x" * 1000, Progress(0.1, "x" * LONGEST_NOTE)),
    ],
)
def test_progress_is_made_fit_to_store(fraction: float | None, message: str | None, expected: Progress) -> None:
    assert checked(fraction, message) == expected


@pytest.mark.parametrize("fraction", [float("nan"), "half", [1]])
def test_a_fraction_that_is_no_number_is_the_models_mistake(fraction: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        checked(fraction, None)  # type: ignore[arg-type]
