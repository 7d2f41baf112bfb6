import sys

import pytest

from bench.contenders.registry import ALL
from bench.environments import lock_of, python_of, version

PEERS = sorted({each.packages for each in ALL.values() if each.packages})


@pytest.mark.parametrize("name", PEERS)
def test_a_peers_lock_has_hashes_and_names_no_host(name: str) -> None:
    text = lock_of(name).read_text()
    assert version(name, name)
    assert "--hash=sha256:" in text
    assert "://" not in text


@pytest.mark.parametrize("name", sorted({"celery", "rq", "dramatiq", "taskiq", "saq"}))
@pytest.mark.parametrize("shared", ["fastapi", "uvicorn", "uvloop", "redis", "scikit-learn"])
def test_what_penstock_has_too_is_the_same_version(name: str, shared: str) -> None:
    assert version(name, shared) == version("", shared)


def test_who_has_no_packages_of_its_own_runs_in_ours() -> None:
    assert python_of("") == sys.executable
