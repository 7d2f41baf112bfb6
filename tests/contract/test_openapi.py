"""The published contract: a copy that changes only on purpose, and the same words in the code and in the documents."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api.document import TaskDocument
from api.eta import Reason
from api.problems import TABLE
from shared.task import DeliveryState, ErrorCode, Status
from tests.integration.nodes import ROOT

DOCS = ROOT / "docs"
EVERY_ANSWER = {"PENSTOCK_API_KEYS": f"anyone:{'0' * 64}", "PENSTOCK_RATE_LIMIT": "100/minute"}


@pytest.fixture(scope="module")
def golden() -> Any:
    return json.loads((DOCS / "openapi.json").read_text())


def words(file: str, heading: str) -> set[str]:
    """The words in the first column of the table under a heading of a document."""
    section = (DOCS / file).read_text().partition(f"# {heading}\n")[2].partition("\n## ")[0]
    table = section.partition("|---")[2].splitlines()[1:]
    return {word for row in table if row.startswith("| ") for word in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_the_golden_copy_is_what_the_api_says_of_itself(tmp_path: Path) -> None:
    """If this change was meant: `make contract`, and a line in the CHANGELOG."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    printed = subprocess.run(
        [sys.executable, "-m", "cli", "api", "--openapi"],
        env={**environment, "PYTHONPATH": str(ROOT), **EVERY_ANSWER},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    assert printed.stdout.decode() == (DOCS / "openapi.json").read_text()


def test_the_statuses_are_those_of_the_code(golden: Any) -> None:
    statuses = {status.value for status in Status}
    assert set(golden["components"]["schemas"]["Status"]["enum"]) == statuses
    assert words("http.md", "In Celery's words") == statuses
    assert words("states.md", "The states of a task") == statuses


def test_the_error_codes_are_those_of_the_code(golden: Any) -> None:
    codes = {code.value for code in ErrorCode}
    assert set(golden["components"]["schemas"]["ErrorCode"]["enum"]) == codes
    assert words("states.md", "Why a task failed") == codes


def test_the_reasons_and_the_states_of_a_delivery_are_those_of_the_code(golden: Any) -> None:
    schemas = golden["components"]["schemas"]
    assert set(schemas["QueueDocument"]["properties"]["reason"]["examples"]) == {reason.value for reason in Reason}
    assert set(schemas["DeliveryState"]["enum"]) == {state.value for state in DeliveryState}
    told = (DOCS / "http.md").read_text()
    assert all(f"`{word.value}`" in told for word in (*Reason, *DeliveryState))


def test_every_problem_is_in_the_table_of_errors(golden: Any) -> None:
    rows = re.findall(r"^\| (\d{3}) \| ([^|]*) \|", (DOCS / "http.md").read_text(), re.MULTILINE)
    written = {(int(status), kind) for status, kinds in rows for kind in re.findall(r"`([a-z-]+)`", kinds)}
    assert written == {(kind.status, kind.name) for kind in TABLE}


def test_every_answer_of_the_document_is_in_the_table_of_errors(golden: Any) -> None:
    statuses = {
        int(status)
        for path in golden["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
        for status in operation["responses"]
    }
    assert {status for status in statuses if status >= 400} == {kind.status for kind in TABLE}


def test_the_fields_of_a_task_are_those_of_the_contract() -> None:
    assert set(TaskDocument.model_fields) == {
        "task_id", "model", "status", "created_at", "started_at", "finished_at", "expires_at", "attempt",
        "batch_size", "progress", "queue", "result", "error", "callback", "links",
    }  # fmt: skip
