"""FastAPI + Dramatiq."""

from bench.contenders.contender import WORKERS, Contender, uvicorn

MODULE = "bench.contenders.dramatiq.app"

# Eight threads in each process, as it comes: with one or two it drains no-ops 3 to 6 times slower, and burns no faster.
CONTENDERS = (
    Contender(
        "dramatiq",
        "FastAPI + Dramatiq",
        "peer",
        uvicorn(f"{MODULE}:app"),
        ("-m", "dramatiq", MODULE, "--processes", str(WORKERS)),
        {"REDIS_URL": "unix://{socket}"},
        "dramatiq",
    ),
)
