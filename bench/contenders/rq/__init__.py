"""FastAPI + RQ: a process is forked for every job."""

from bench.contenders.contender import WORKERS, Contender, uvicorn
from bench.dialect import Dialect

CONTENDERS = (
    Contender(
        "rq",
        "FastAPI + RQ",
        "peer",
        uvicorn("bench.contenders.rq.app:app"),
        ("-m", "bench.contenders.rq.worker", str(WORKERS)),
        {"REDIS_URL": "unix://{socket}"},
        "rq",
        Dialect(done='"status":"finished"', pending=('"status":"queued"', '"status":"started"')),
        drain_share=0.2,
        note="its worker forks for every job; drains a fifth of the tasks",
    ),
)
