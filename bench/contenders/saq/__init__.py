"""FastAPI + SAQ."""

from bench.contenders.contender import WORKERS, Contender, uvicorn
from bench.dialect import Dialect

MODULE = "bench.contenders.saq.app"
# A sweep aborts what is in the list of active jobs and not yet marked so: the moment between two of its own steps.
UNFINISHED = ("queued", "active", "new", "aborting")

CONTENDERS = (
    Contender(
        "saq",
        "FastAPI + SAQ",
        "peer",
        uvicorn(f"{MODULE}:app"),
        ("-m", "saq", f"{MODULE}.settings", "--workers", str(WORKERS)),
        {"REDIS_URL": "unix://{socket}"},
        "saq",
        Dialect(done='"status":"complete"', pending=tuple(f'"status":"{each}"' for each in UNFINISHED)),
        note="its sweep may abort a job that was taken a moment before, so each may be retried",
    ),
)
