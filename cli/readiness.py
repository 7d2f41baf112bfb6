"""Whether an installation can serve: what GET /readyz says, put into words."""

from collections.abc import Mapping
from typing import Any

import httpx2

PROBE_SECONDS = 1.0


def probe(client: httpx2.Client) -> str | None:
    """Ask the API behind `client` for /readyz: None if every model can be served, else what is missing."""
    try:
        response = client.get("/readyz", timeout=PROBE_SECONDS)
    except httpx2.TransportError:
        return "the API does not answer"
    try:
        body = response.json()
    except ValueError:
        body = None
    return missing(response.status_code, body)


def missing(status: int, body: Any) -> str | None:
    """Judge an answer of /readyz: None if it is 200 and every model has a worker, else what is missing."""
    models = body.get("models") if isinstance(body, Mapping) else None
    if isinstance(models, Mapping) and models:
        idle = [name for name, served in models.items() if not _workers(served)]
        if idle:
            return f"no worker for {', '.join(idle)} yet"
    if status != httpx2.codes.OK:
        return f"the API is not ready ({status})"
    return None if models else "the API does not say which models it serves"


def _workers(served: Any) -> int:
    count = served.get("workers", 0) if isinstance(served, Mapping) else 0
    return count if isinstance(count, int) else 0
