"""What no queue can beat: the same HTTP, validation and functions, with less or nothing behind them."""

from bench.contenders.contender import WORKERS, Contender, uvicorn
from bench.dialect import Dialect

REDIS = {"REDIS_URL": "unix://{socket}"}
FASTAPI = uvicorn("bench.contenders.ceilings.over_fastapi:app")
ASGI = uvicorn("bench.contenders.ceilings.over_asgi:app")
TO_REDIS = Dialect(submit="/stored/{work}")

CONTENDERS = (
    Contender(
        "fastapi-redis",
        "FastAPI: POST + one MULTI; GET + one GET",
        "ceiling",
        FASTAPI,
        environment=REDIS,
        dialect=TO_REDIS,
        measures=("submit", "poll"),
    ),
    Contender("fastapi", "FastAPI: bare POST", "ceiling", FASTAPI, environment=REDIS, measures=("submit",)),
    Contender(
        "asgi-redis",
        "raw ASGI: POST + one MULTI; GET + one GET",
        "ceiling",
        ASGI,
        environment=REDIS,
        dialect=TO_REDIS,
        measures=("submit", "poll"),
    ),
    Contender("asgi", "raw ASGI: bare POST", "ceiling", ASGI, environment=REDIS, measures=("submit",)),
    Contender(
        "inline",
        "FastAPI that computes in the request",
        "ceiling",
        uvicorn("bench.contenders.ceilings.inline:app", "--workers", str(WORKERS)),
        environment={"BENCH_LOAD": "1"},
        dialect=Dialect(answers=True, field=""),
        measures=("drain", "burn", "alone", "digits"),
        note="no queue: 20 clients are answered with results, by two processes",
    ),
    Contender(
        "pool",
        "multiprocessing.Pool, no HTTP",
        "ceiling",
        ("-m", "bench.contenders.ceilings.pool"),
        environment={"BENCH_LOAD": "1"},
        measures=("drain", "burn", "digits"),
        serves=False,
    ),
)
