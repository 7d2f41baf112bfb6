"""What the tests of the API ask, and what they expect of every problem."""

from typing import Any

import httpx2

from api.problems import ProblemDocument
from shared.ledger import calls
from shared.ledger.connection import Ledger
from tests.contract.steps import claim

HOUR_MS = 3_600_000
HELLO = {"text": "hello"}


def submit(http: httpx2.Client, model: str = "echo", body: Any = HELLO) -> Any:
    answer = http.post(f"/task/{model}", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


def succeed(ledger: Ledger, id: str, result: bytes) -> None:
    assert ledger.run(calls.succeed(claim(ledger, id), result, HOUR_MS))


def problem(answer: httpx2.Response, status: int, kind: str | None) -> ProblemDocument:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    document = ProblemDocument.model_validate_json(answer.content)
    assert document.status == status
    assert document.type == (f"urn:penstock:problem:{kind}" if kind else "about:blank")
    assert document.instance == answer.request.url.path
    return document
