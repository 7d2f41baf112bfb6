"""What `penstock up` prints about what it started, and the first request to try."""

import json
import shlex
from collections.abc import Iterable
from pathlib import Path

from shared.model import ModelSchema
from shared.server import redacted

LONGEST_EXAMPLE = 200


def started(*, url: str, ledger: str, data_dir: Path | None, models: Iterable[str], children: int) -> str:
    """Say what runs and where; `data_dir` only with an embedded server."""
    lines = [
        f"ledger  {redacted(ledger)}" + (" (embedded server)" if data_dir else ""),
        *([f"data    {data_dir}"] if data_dir else []),
        f"api     {url}",
        f"docs    {url}/docs",
        f"worker  {', '.join(models)}; {children} {'child' if children == 1 else 'children'}",
    ]
    return "\n".join(lines)


def ready(*, seconds: float, url: str, schema: ModelSchema) -> str:
    """Say that everything is ready, and what to try: a `curl` for the model's example, the docs if it is too long."""
    return f"ready in {seconds:.1f} s\ntry: {_first_request(url, schema)}"


def _first_request(url: str, schema: ModelSchema) -> str:
    example = schema.example()
    body = json.dumps(example)
    if example is None or len(body) > LONGEST_EXAMPLE:
        return f"{url}/docs"
    header = shlex.quote("Content-Type: application/json")
    return f"curl -d {shlex.quote(body)} -H {header} {shlex.quote(f'{url}/task/{schema.name}')}"
