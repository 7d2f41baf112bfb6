import numpy as np

from .schema import Input, Output

BYTES = 400 * 2**20


class Model:
    """Weighs 400 MB, and looks at all of it: a copy for each child would show."""

    def __init__(self) -> None:
        self._weights = np.ones(BYTES // 8)

    def predict(self, input: Input) -> Output:
        """Return what came in."""
        assert self._weights.sum() == len(self._weights)
        return Output(value=input.value)
