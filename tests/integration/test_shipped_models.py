"""The three shipped models through the whole system: their own examples, a real page, and pictures that are none."""

import base64
import re
import sys
from difflib import SequenceMatcher
from typing import Any

import pytest

from shared.settings import DEFAULT_MODELS, SHIPPED_MODELS
from tests.integration.client import Client
from tests.integration.nodes import ROOT, WorkerProcess

DATA = ROOT / "tests" / "data"
needs_ocr = pytest.mark.skipif(
    sys.version_info >= (3, 13), reason="rapidocr-onnxruntime has no release for this Python"
)


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    models = ",".join(str(SHIPPED_MODELS / name) for name in DEFAULT_MODELS)
    return {**environment, "PENSTOCK_MODELS": models, "PENSTOCK_CONCURRENCY": "1"}


def letters(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_the_example_of_every_model_succeeds(worker: WorkerProcess, client: Client) -> None:
    results: dict[str, Any] = {}
    for model in client.http.get("/models").json()["models"]:
        done = client.finished(client.submit(model["name"], **model["example"])["task_id"], within=60)
        assert done["status"] == "succeeded", done
        results[model["name"]] = done["result"]

    assert results["wait"]["message"].startswith("task done after ")
    assert sum(results["digits"]["probabilities"]) == pytest.approx(1)
    if "ocr" in results:
        assert letters(results["ocr"]["text"]) == "Penstockreadsthis"


@needs_ocr
def test_a_page_comes_back_as_its_text(worker: WorkerProcess, client: Client) -> None:
    page = base64.b64encode((DATA / "page.png").read_bytes()).decode()

    result = client.finished(client.submit("ocr", image=page)["task_id"], within=60)["result"]

    expected = (DATA / "page.txt").read_text()
    assert SequenceMatcher(None, letters(result["text"]), letters(expected), autojunk=False).ratio() > 0.99
    assert len(result["lines"]) == len([line for line in expected.splitlines() if line.strip()])


@needs_ocr
def test_a_broken_picture_fails_clearly_and_harms_nothing(worker: WorkerProcess, client: Client) -> None:
    whole = (DATA / "page.png").read_bytes()
    children = {child.pid for child in worker.children()}

    cut = client.submit("ocr", image=base64.b64encode(whole[: len(whole) // 2]).decode())["task_id"]
    huge = whole[:16] + (60_000).to_bytes(4, "big") * 2 + whole[24:]
    refused = [
        client.http.post("/task/ocr", json={"image": base64.b64encode(bad).decode()})
        for bad in (huge, b"GIF89a", b"not a picture", b"")
    ]

    assert client.finished(cut)["error"] == {"code": "model_error", "message": "the image cannot be decoded"}
    assert [answer.status_code for answer in refused] == [422] * 4
    assert {tuple(answer.json()["errors"][0]["loc"]) for answer in refused} == {("body", "image")}
    assert {child.pid for child in worker.children()} == children
