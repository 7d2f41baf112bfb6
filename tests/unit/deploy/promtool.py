"""Prometheus' own tool, where it is installed."""

import os
import shutil
import subprocess

import pytest

SECONDS = 60


def run_promtool(*arguments: str) -> None:
    """Run it and fail if it complains; without it a test fails in CI and is skipped elsewhere."""
    if shutil.which("promtool") is None:
        reason = "promtool is not installed (Debian: apt-get install prometheus)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
