"""FastAPI + Celery + Redis: as every tutorial has it, and as someone runs it who has read on."""

from bench.contenders.contender import WORKERS, Contender, uvicorn
from bench.dialect import Dialect

CELERY_STATES = Dialect(done='"status":"SUCCESS"', pending=('"status":"PENDING"', '"status":"STARTED"'))
TUTORIAL, TUNED = "bench.contenders.celery.tutorial", "bench.contenders.celery.tuned"
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "warning")


def _worker(app: str, *options: str) -> tuple[str, ...]:
    return ("-m", "celery", "-A", app, "worker", "--concurrency", str(WORKERS), *options)


CONTENDERS = (
    Contender(
        "celery",
        "FastAPI + Celery tutorial",
        "peer",
        uvicorn(f"{TUTORIAL}:app"),
        _worker(f"{TUTORIAL}:celery", "--loglevel", "info"),
        {"SOCKET": "{socket}"},
        "celery",
        CELERY_STATES,
    ),
    Contender(
        "celery-tuned",
        "FastAPI + Celery, tuned",
        "peer",
        uvicorn(f"{TUNED}:app"),
        _worker(f"{TUNED}:celery", *QUIET),
        {"SOCKET": "{socket}"},
        "celery",
        CELERY_STATES,
        note="late acknowledgement, prefetch 1, no subscription per result, no gossip, mingle or heartbeat",
    ),
)
