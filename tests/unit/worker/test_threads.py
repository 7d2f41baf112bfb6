import os

import pytest

from worker.__main__ import cap_threads


@pytest.mark.parametrize(("cores", "children", "threads"), [(8, 2, "4"), (8, 3, "2"), (2, 4, "1"), (None, 1, "1")])
def test_children_share_the_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, children: int, threads: str
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "7")

    cap_threads(children)

    assert os.environ["OMP_NUM_THREADS"] == threads
    assert os.environ["MKL_NUM_THREADS"] == "7"  # what the operator says wins
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        monkeypatch.delenv(variable, raising=False)
