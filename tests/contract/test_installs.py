"""What an install of one part holds, and what it must not: read from its lock file."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODEL_LIBRARIES = {"numpy", "scikit-learn", "onnxruntime", "rapidocr-onnxruntime", "opencv-python-headless", "torch"}
WEB_FRAMEWORK = {"fastapi", "starlette", "uvicorn"}
TRACE = ["opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter"]
LOCKS = sorted(path.name for path in ROOT.glob("requirements*.lock"))

# Imports modules as an install from a lock would find them: what no package of the lock brings is not there.
AS_INSTALLED = """
import importlib, importlib.metadata, re, sys
locked = set(sys.argv[1].split(",")) | {"penstock"}
brought_by = importlib.metadata.packages_distributions()
class OnlyTheLock:
    def find_spec(self, name, path=None, target=None):
        found = {re.sub("[-_.]+", "-", each).lower() for each in brought_by.get(name.partition(".")[0], [])}
        if found and found.isdisjoint(locked):
            raise ModuleNotFoundError(f"{name} is brought by {found}, which the lock has not", name=name)
sys.meta_path.insert(0, OnlyTheLock())
for module in sys.argv[2:]:
    importlib.import_module(module)
"""


def packages(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / lock).read_text(), re.MULTILINE))


def test_an_api_install_has_no_model_library() -> None:
    assert packages("requirements-api.lock").isdisjoint(MODEL_LIBRARIES)
    assert packages("requirements-api.lock") >= WEB_FRAMEWORK


def test_a_worker_install_has_no_web_framework() -> None:
    assert packages("requirements-worker.lock").isdisjoint(WEB_FRAMEWORK)
    assert "celery" in packages("requirements-worker.lock")


@pytest.mark.parametrize(
    ("lock", "modules"),
    [
        ("requirements-api.lock", ["api.__main__", "cli.__main__", "uvloop", "httptools", "hiredis", *TRACE]),
        (
            "requirements-worker.lock",
            [
                "worker.__main__",
                "cli.__main__",
                "kombu.transport.redis",
                "celery.concurrency.prefork",
                "hiredis",
                *TRACE,
            ],
        ),
    ],
)
def test_an_install_has_all_that_it_imports(lock: str, modules: list[str]) -> None:
    """kombu's Redis transport imports what plain kombu does not ask for; only an install of its own shows that."""
    done = subprocess.run(
        [sys.executable, "-c", AS_INSTALLED, ",".join(packages(lock)), *modules],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_there_is_a_lock_for_every_install() -> None:
    assert LOCKS == [
        "requirements-api.lock",
        "requirements-dev.lock",
        "requirements-models.lock",
        "requirements-worker.lock",
        "requirements.lock",
    ]


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
