"""What GET /readyz must say for an installation to count as ready."""

from typing import Any

import pytest

from cli.readiness import missing


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, {"models": {"wait": {"workers": 1, "slots": 2}}}, None),
        (200, {"models": {"wait": {"workers": 1}, "ocr": {"workers": 0}}}, "no worker for ocr yet"),
        (503, {"models": {"wait": {"workers": 0}, "ocr": {}}}, "no worker for wait, ocr yet"),
        (503, {"models": {"wait": {"workers": 1}}}, "the API is not ready (503)"),
        (503, {"title": "Service Unavailable"}, "the API is not ready (503)"),
        (503, None, "the API is not ready (503)"),
        (200, {"models": {}}, "the API does not say which models it serves"),
        (200, [], "the API does not say which models it serves"),
        (200, {"models": {"wait": {"workers": "many"}}}, "no worker for wait yet"),
    ],
)
def test_missing(status: int, body: Any, said: str | None) -> None:
    assert missing(status, body) == said
