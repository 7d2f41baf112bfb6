"""FastAPI + Taskiq with its stream broker, the one that acknowledges."""

from bench.contenders.contender import WORKERS, Contender, uvicorn

MODULE = "bench.contenders.taskiq.app"
# More at once in a process, or fewer messages than the 100 it takes in one go, were tried and are no faster.
ONE_AT_A_TIME = ("--max-async-tasks", "1", "--max-threadpool-threads", "1", "--log-level", "WARNING")

CONTENDERS = (
    Contender(
        "taskiq",
        "FastAPI + Taskiq",
        "peer",
        uvicorn(f"{MODULE}:app"),
        ("-m", "taskiq", "worker", f"{MODULE}:broker", "--workers", str(WORKERS), *ONE_AT_A_TIME),
        {"REDIS_URL": "unix://{socket}"},
        "taskiq",
        note="its worker takes 100 messages at once, which wait there while another process may be idle",
    ),
)
