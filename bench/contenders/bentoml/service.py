"""One service with a task for every kind of work, in one process with two threads."""

from typing import Any

import bentoml

from bench.contenders.contender import WORKERS
from bench.work import burn, digits, noop


@bentoml.service(
    workers=1,  # two share an SQLite file, and answer some submits with 500, "database is locked"
    threads=WORKERS,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    traffic={"timeout": 600},
)
class Bench:
    """BentoML checks what comes in by the annotations."""

    @bentoml.task  # type: ignore[untyped-decorator]
    def noop(self, value: int) -> dict[str, Any]:
        """Return what came in."""
        return noop({"value": value})

    @bentoml.task  # type: ignore[untyped-decorator]
    def burn(self, value: int) -> dict[str, Any]:
        """Return what came in, after 20 ms of CPU time."""
        return burn({"value": value})

    @bentoml.task  # type: ignore[untyped-decorator]
    def digits(self, pixels: list[float]) -> dict[str, Any]:
        """Recognise one image."""
        return digits({"pixels": pixels})
