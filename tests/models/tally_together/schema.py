"""What tally does, for several tokens at once: noted together, and gone wrong together.

What the two have in common is linked into this folder, since a model imports nothing from outside its own.
"""

from .alone_schema import LOAD_IN, TIME_LIMIT_SECONDS, Input, Output

__all__ = ["LOAD_IN", "MAX_BATCH", "MAX_WAIT_MS", "TIME_LIMIT_SECONDS", "Input", "Output"]

MAX_BATCH = 6
MAX_WAIT_MS = 100  # so that batches form though children are idle, and the wait itself is struck as well
