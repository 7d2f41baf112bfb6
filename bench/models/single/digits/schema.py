"""The shipped model `digits`, one image at a time: what batching is measured against."""

from .batched import EXAMPLE, LOAD_IN, TIME_LIMIT_SECONDS, Input, Output

__all__ = ["EXAMPLE", "LOAD_IN", "TIME_LIMIT_SECONDS", "Input", "Output"]
