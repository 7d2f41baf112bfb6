"""RQ's worker pool with the model loaded before it forks, as RQ's documentation advises."""

import os
import sys

from redis import Redis
from rq.worker_pool import WorkerPool

import bench.work  # noqa: F401  (loads the model)

if __name__ == "__main__":
    pool = WorkerPool(["default"], connection=Redis.from_url(os.environ["REDIS_URL"]), num_workers=int(sys.argv[1]))
    pool.start(logging_level="WARNING")
