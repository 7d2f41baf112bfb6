"""Libraries that would report to their makers, and do not."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from worker.telemetry import SWITCHES, silence


@pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="the ocr model's library is not installed")
@pytest.mark.parametrize("is_silenced", [False, True])
def test_onnxruntime_leaves_a_name_of_the_machine_unless_it_is_silenced(is_silenced: bool, tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}  # and not CI, which silences it too
    if is_silenced:
        silence(environment)

    subprocess.run([sys.executable, "-c", "import onnxruntime"], env=environment, check=True, timeout=60)

    # If this fails unsilenced the library has changed: see whether there is still anything to switch off.
    assert any(path.name == "deviceid" for path in tmp_path.rglob("*")) != is_silenced


def test_what_the_operator_says_stays() -> None:
    environment = {"ORT_DISABLE_TELEMETRY": "0"}

    silence(environment)

    assert environment == {**SWITCHES, "ORT_DISABLE_TELEMETRY": "0"}
