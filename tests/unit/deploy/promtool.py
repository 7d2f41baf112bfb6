"""Prometheus' own tool, where it is installed."""

import shutil
import subprocess

import pytest

SECONDS = 60


def run_promtool(*arguments: str) -> None:
    """Run it and fail if it complains; skip where there is none."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
