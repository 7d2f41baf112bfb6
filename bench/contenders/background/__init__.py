"""FastAPI's own BackgroundTasks and a dict: the whole of FastAPI's documentation on the matter."""

from bench.contenders.contender import Contender, uvicorn

CONTENDERS = (
    Contender(
        "background",
        "FastAPI BackgroundTasks, dict",
        "peer",
        uvicorn("bench.contenders.background.app:app"),
        environment={"BENCH_LOAD": "1"},
        note="one process serves and computes, in threads; a restart forgets every task",
    ),
)
