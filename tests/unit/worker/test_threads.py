"""How many threads a child's libraries may start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from celery.utils import sysinfo

from shared.cpus import usable_cpus
from tests.integration.nodes import ROOT
from worker.telemetry import SWITCHES
from worker.threads import VARIABLES, cap_threads, thread_variables


@pytest.mark.parametrize(("cpus", "children", "threads"), [(8, 2, "4"), (8, 3, "2"), (2, 4, "1"), (1, 1, "1")])
def test_children_share_the_cpus(cpus: int, children: int, threads: str) -> None:
    assert thread_variables({}, cpus, children) == dict.fromkeys(VARIABLES, threads)


def test_what_the_operator_says_wins() -> None:
    found = thread_variables({"MKL_NUM_THREADS": "7", "BLIS_NUM_THREADS": ""}, 8, 2)

    assert "MKL_NUM_THREADS" not in found
    assert found["BLIS_NUM_THREADS"] == found["OMP_NUM_THREADS"] == "4"  # said nothing


@pytest.mark.parametrize(("said", "others"), [("3", "3"), ("3,2", "3"), ("many", "4")])
def test_what_is_said_of_openmp_counts_for_the_others(said: str, others: str) -> None:
    found = thread_variables({"OMP_NUM_THREADS": said}, 8, 2)

    assert "OMP_NUM_THREADS" not in found
    assert set(found.values()) == {others}


def test_a_quota_of_the_cgroup_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cgroup").write_text("0::/\n")
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    monkeypatch.setattr(sysinfo, "PROC_SELF_CGROUP", str(tmp_path / "cgroup"))
    monkeypatch.setattr(sysinfo, "CGROUP_ROOT", str(tmp_path))

    environment: dict[str, str] = {}
    cap_threads(environment, 1)

    assert environment == dict.fromkeys(VARIABLES, "1")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to a CPU")
def test_the_cpus_that_this_process_is_bound_to_count() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from shared.cpus import usable_cpus; print(usable_cpus())"
    )

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "1\n"
    assert 1 <= usable_cpus() <= (os.cpu_count() or 1)


def test_a_schema_that_imports_libraries_finds_them_capped_and_silenced(tmp_path: Path) -> None:
    """It is read before any model is loaded, and a library reads its variables once."""
    folder = tmp_path / "early"
    folder.mkdir()
    (folder / "schema.py").write_text(
        "import os\nfound = map(os.environ.get, ('OPENBLAS_NUM_THREADS', 'ORT_DISABLE_TELEMETRY'))\n"
        "raise ValueError(f'threads, silence: {tuple(found)}')\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in {*VARIABLES, *SWITCHES}}
    told = {"PENSTOCK_MODELS": str(folder), "PENSTOCK_REDIS_URL": "redis://127.0.0.1:1", "PENSTOCK_CONCURRENCY": "64"}

    done = subprocess.run(
        [sys.executable, "-m", "worker"],
        cwd=ROOT,
        env={**environment, **told},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "threads, silence: ('1', '1')" in done.stderr
