"""What is served, alive and ready; and paths and methods that are not there."""

from uuid import uuid4

import httpx2
import pytest

from api.served import ModelsDocument
from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.ledger.records import ChildMemory
from shared.settings import DEFAULT_MODELS
from tests.integration.api.requests import HELLO, HOUR_MS, problem, submit


def test_models_tell_what_is_served(http: httpx2.Client, ledger: Ledger) -> None:
    submit(http)
    ledger.run(calls.announce("worker", {"echo": 3}, HOUR_MS))
    every = ModelsDocument.model_validate_json(http.get("/models").content).models
    assert [model.name for model in every] == ["echo", "shape", *DEFAULT_MODELS]
    assert [model.default for model in every] == [True, *[False] * (len(every) - 1)]
    echo = every[0]
    assert echo.model_dump() == http.get("/models/echo").json()
    assert (echo.description, echo.example) == ("Says it again.", HELLO)
    assert (echo.limits.time_limit_seconds, echo.limits.max_batch) == (12, 4)
    assert (echo.queue.queued, echo.queue.running, echo.workers, echo.slots) == (1, 0, 1, 3)
    assert echo.typical_run_seconds is None
    assert echo.input["properties"].keys() == {"text", "times"}
    assert echo.links.submit == "/task/echo"


def test_the_memory_of_a_child_is_the_median_of_all_that_were_measured(http: httpx2.Client, ledger: Ledger) -> None:
    measured = [ChildMemory(300, 90), ChildMemory(100, 10), ChildMemory(900, 800)]
    ledger.run(calls.announce("one", {"echo": 2}, HOUR_MS, measured[:2]))
    ledger.run(calls.announce("two", {"echo": 1}, HOUR_MS, measured[2:]))
    ledger.run(calls.announce("three", {"shape": 1}, HOUR_MS))

    memory = {model["name"]: model["memory"] for model in http.get("/models").json()["models"]}

    assert memory["echo"] == {"children": 3, "pss_bytes_per_child": 300, "private_bytes_per_child": 90}
    assert memory["shape"] is None


def test_an_unknown_model_is_404(http: httpx2.Client) -> None:
    problem(http.get("/models/nope"), 404, "unknown-model")


def test_it_is_alive_and_ready(http: httpx2.Client, ledger: Ledger) -> None:
    ledger.run(calls.announce("worker", {"echo": 2}, HOUR_MS))
    assert http.get("/livez").json() == {"status": "alive"}
    ready = http.get("/readyz").json()
    assert (ready["status"], ready["redis"]) == ("ready", "ok")
    assert ready["models"]["echo"] == {"workers": 1, "slots": 2}
    assert ready["models"]["shape"] == {"workers": 0, "slots": 0}


def test_the_example_of_every_model_is_accepted_as_pasted(http: httpx2.Client) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    for model in http.get("/models").json()["models"]:
        path = model["links"]["submit"]
        pasted = paths[path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert http.post(path, json=pasted).status_code == 202


def test_the_page_for_people_is_there(http: httpx2.Client) -> None:
    assert http.get("/").headers["location"] == "docs"
    page = http.get("/docs").text
    assert "openapi.json" in page
    assert "://" not in page  # nothing from anyone else's host
    problem(http.get("/redoc"), 404, None)


@pytest.mark.parametrize("path", ["/task/", "/nope", f"/task/{uuid4()}/nope"])
def test_another_path_is_a_problem(http: httpx2.Client, path: str) -> None:
    problem(http.get(path), 404, None)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/task/echo", {"GET", "HEAD", "POST", "DELETE"}),
        ("DELETE", "/task", {"GET", "HEAD", "POST"}),
        ("POST", "/livez", {"GET", "HEAD"}),
    ],
)
def test_another_method_is_a_problem(http: httpx2.Client, method: str, path: str, allowed: set[str]) -> None:
    answer = http.request(method, path)
    problem(answer, 405, None)
    assert set(answer.headers["allow"].split(", ")) == allowed
