import time

from . import alone
from .schema import Input, Output


class Model(alone.Model):
    def predict_batch(self, inputs: list[Input]) -> list[Output]:
        """Take as long as the longest; go wrong as the first does that goes wrong, for all of them."""
        alone.note(*(input.token for input in inputs))
        time.sleep(max(input.seconds for input in inputs))
        for input in inputs:
            alone.misbehave(input.behave)
        return [alone.answered(input) for input in inputs]
