"""Penstock: one API process, one worker with two children, the models served as any are; and its memory apart."""

from dataclasses import replace

from bench.contenders.contender import QUEUE, WORKERS, Contender, Measure
from bench.dialect import Dialect

DIALECT = Dialect(
    wait="/task/{work}?wait=30",
    done='"status":"succeeded"',
    pending=('"status":"queued"', '"status":"running"'),
)


def _contender(name: str, title: str, children: int, models: str, measures: tuple[Measure, ...]) -> Contender:
    return Contender(
        name,
        title,
        "penstock",
        ("-m", "api", "--port", "{port}"),
        ("-m", "worker", "--concurrency", str(children)),
        {
            "PENSTOCK_REDIS_URL": "unix://{socket}",
            "PENSTOCK_MODELS": models,
            "PENSTOCK_MAX_QUEUED": "10000000",
        },
        dialect=DIALECT,
        measures=measures,
    )


ALL_MODELS = "bench/models/noop,bench/models/burn,models/digits"
CONTENDERS = (
    replace(
        _contender("penstock", "**Penstock**", WORKERS, ALL_MODELS, (*QUEUE, "burn_wait", "alone_wait")),
        digits_share=10,  # the others' rows are two batches for each child
    ),
    _contender("penstock-single", "**Penstock** without batching", WORKERS, "bench/models/single/digits", ("digits",)),
)
MEMORY = (
    _contender("big-4", "**Penstock**, 4 children", 4, "bench/models/big", ("pss",)),
    _contender("big-1", "**Penstock**, 1 child", 1, "bench/models/big", ("pss",)),
)
