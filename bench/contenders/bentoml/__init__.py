"""BentoML's tasks: one program serves and computes; tasks are in an SQLite file."""

from bench.contenders.contender import Contender
from bench.dialect import Dialect

CONTENDERS = (
    Contender(
        "bentoml",
        "BentoML tasks",
        "peer",
        (
            *("-m", "bentoml", "serve", "bench.contenders.bentoml.service:Bench"),
            *("--host", "127.0.0.1", "--port", "{port}"),
        ),
        environment={
            "BENCH_LOAD": "1",
            "BENTOML_HOME": "{directory}",
            "BENTOML_DO_NOT_TRACK": "True",
        },
        packages="bentoml",
        dialect=Dialect(
            submit="/{work}/submit",
            poll="/{work}/status?task_id={id}",
            result="/{work}/get?task_id={id}",
            done='"status":"completed"',
            pending=('"status":"in_progress"', '"status":"pending"'),
            field="",
        ),
        drain_share=0.2,
        note="one process serves and computes, in two threads: two processes lock each other out of its SQLite file; "
        "drains a fifth of the tasks",
    ),
)
