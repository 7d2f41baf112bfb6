"""The outlook of each model as a reader knows it: what the wait of all of its tasks depends on, asked for seldom."""

import time
from collections.abc import Callable

from shared.task import Outlook

BELIEVED_SECONDS = 0.2  # a client cannot tell; at a thousand polls a second it is told once for two hundred of them


class Outlooks:
    """What was heard of a moment ago. A reading names the models of `fresh`, and hears nothing of them again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._outlooks: dict[str, Outlook] = {}
        self._stale_at: dict[str, float] = {}

    def fresh(self) -> str:
        """Return the models whose outlook need not be told, as the scripts take them: a comma before and after each."""
        now = self._clock()
        models = [model for model, stale_at in self._stale_at.items() if now < stale_at]
        return f",{','.join(models)}," if models else ""

    def learn(self, model: str, outlook: Outlook) -> Outlook:
        """Keep what was told of a model; return it. That there are no workers is asked anew: a worker may have come."""
        self._outlooks[model] = outlook
        self._stale_at[model] = self._clock() + (BELIEVED_SECONDS if outlook.workers else 0.0)
        return outlook

    def known(self, model: str) -> Outlook:
        """Return the outlook of a model that was `fresh` when the reading was asked for."""
        return self._outlooks[model]
