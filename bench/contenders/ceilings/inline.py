"""FastAPI that computes in the request: nothing is queued, stored or polled, and nothing survives."""

from typing import Any

from fastapi import FastAPI

from bench.work import WORKS, Work

app = FastAPI()


def add(name: str, work: Work) -> None:
    """Add the one route of one kind of work. It is a plain function, so FastAPI runs it in a thread."""
    model = work.input

    @app.post(f"/task/{name}")
    def compute(input: model) -> dict[str, Any]:  # type: ignore[valid-type]
        return work.run(input.model_dump(mode="json"))  # type: ignore[attr-defined]


for each in WORKS:
    add(each, WORKS[each])
