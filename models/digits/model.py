"""A forest of randomised trees over scikit-learn's own images of digits (1797 of them), trained when it is loaded.

One row walks 300 trees in Python and 256 rows walk them together: a batch costs little more than one image.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.ensemble import ExtraTreesClassifier

from .schema import Input, Output


class Model:
    """A trained forest. It starts no thread, so one copy may be shared by fork."""

    def __init__(self) -> None:
        """Train on every image of the data set: under a second, and the same forest every time."""
        images, digits = load_digits(return_X_y=True)
        self._forest = train(images, digits)

    def predict(self, input: Input) -> Output:
        """Recognise one image: exactly what `predict_batch` says of it."""
        return self.predict_batch([input])[0]

    def predict_batch(self, inputs: list[Input]) -> list[Output]:
        """Recognise every image in one pass; the answers are in the order of `inputs`."""
        rows = np.array([each.pixels for each in inputs])
        return [answer(row) for row in self._forest.predict_proba(rows)]


def train(images: NDArray[np.float64], digits: NDArray[np.int_]) -> Any:
    """Return a forest fitted to `images` (n rows of 64 shades) and the `digits` they show."""
    forest = ExtraTreesClassifier(n_estimators=300, bootstrap=True, n_jobs=1, random_state=0)
    return forest.fit(images, digits)


def answer(probabilities: NDArray[np.float64]) -> Output:
    """Put one row of the forest's answer into words."""
    return Output(digit=int(probabilities.argmax()), probabilities=tuple(probabilities.tolist()))
