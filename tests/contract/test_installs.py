"""What an install of one part holds, and what it must not: read from its lock file."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODEL_LIBRARIES = {"numpy", "scikit-learn", "onnxruntime", "rapidocr-onnxruntime", "opencv-python-headless", "torch"}
WEB_FRAMEWORK = {"fastapi", "starlette", "uvicorn"}
LOCKS = sorted(path.name for path in ROOT.glob("requirements*.lock"))


def packages(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / lock).read_text(), re.MULTILINE))


def test_an_api_install_has_no_model_library() -> None:
    assert packages("requirements-api.lock").isdisjoint(MODEL_LIBRARIES)
    assert packages("requirements-api.lock") >= WEB_FRAMEWORK


def test_a_worker_install_has_no_web_framework() -> None:
    assert packages("requirements-worker.lock").isdisjoint(WEB_FRAMEWORK)
    assert "celery" in packages("requirements-worker.lock")


def test_there_is_a_lock_for_every_install() -> None:
    assert LOCKS == ["requirements-api.lock", "requirements-dev.lock", "requirements-worker.lock", "requirements.lock"]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_hashes_and_names_no_place(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert "://" not in text
    assert "--index-url" not in text
    pinned = re.findall(r"^[a-z0-9._-]+==[^\n]*\\\n +--hash=sha256:", text, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[a-z]", text, re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_brings_the_opencv_that_needs_a_screen(lock: str) -> None:
    assert "opencv-python" not in packages(lock)
