"""What the figures were measured on, in a few lines: they mean little without it."""

import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import psutil

from bench.contenders.contender import WORKERS, Contender
from bench.driver import ROOT
from bench.environments import version
from bench.measures import Sizes
from bench.running import CONNECTIONS
from tests.redis_server import RedisServer

OURS = ("fastapi", "uvicorn", "uvloop", "redis", "scikit-learn")


def about(contenders: Iterable[Contender], sizes: Sizes, load_before: float) -> list[str]:
    """Return the lines at the head of the report."""
    packages = sorted({each.packages for each in contenders if each.packages})
    software = [
        f"{server()} (append-only, fsync every second, unix socket)",
        *(f"{name} {version('', name)}" for name in OURS),
        *(f"{name} {version(name, name)}" for name in packages),
    ]
    method = (
        f"rounds: {sizes.rounds}, interleaved; a ratio is the median of the ratios within each round. One client with "
        f"{CONNECTIONS} connections, {WORKERS} worker processes, one API process. {sizes.queued:,} tasks queued, "
        f"{sizes.polls:,} GETs, {sizes.burns:,} burns, {sizes.digits:,} rows of digits; all results checked"
    )
    return [*heads(load_before, software), method]


def heads(load_before: float, software: Iterable[str]) -> list[str]:
    """Return what every report begins with: when and what, on which machine, with which software."""
    hardware = (
        f"{processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GB, "
        f"Linux {platform.release()}; load before {load_before:.1f}, after {os.getloadavg()[0]:.1f}"
    )
    return [
        f"{datetime.now(UTC):%Y-%m-%d}, Penstock {commit()}",
        hardware,
        ", ".join([f"Python {platform.python_version()}", *software]),
    ]


def processor() -> str:
    """Return the processor's name."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.machine()


def commit() -> str:
    """Return the commit that is measured, with a plus if files differ from it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "of no repository"


def server() -> str:
    """Return the name and version of the Redis or Valkey that everyone is given."""
    found = RedisServer()
    try:
        info = found.client.info("server")
    finally:
        found.close()
    return f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"
