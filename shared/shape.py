"""A model's shape: a digest of what its API and its workers must agree on, so that each can say which one it has.

It is of what `GET /models` tells: the JSON Schemas of Input and Output, and the limits. So it is the same from the
files of a model, which a worker has, and from the document, which anyone can ask an API for.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

from shared.model import ModelSchema

DIGITS = 16  # of the digest: a slip is to be noticed, not an attack
SHOWN = ("input", "output", "limits")  # of a model's document


def shape_of(schema: ModelSchema) -> str:
    """Return the shape of a model that was read from its folder."""
    shown = {
        "input": schema.input.model_json_schema(),
        "output": schema.output.model_json_schema(mode="serialization"),
        "limits": {"time_limit_seconds": schema.time_limit_seconds, "max_batch": schema.max_batch},
    }
    return _digest(from_json(to_json(shown)))  # what it would be if it had been asked for over HTTP


def shape_of_document(document: Mapping[str, Any]) -> str:
    """Return the shape of a model from its document, one of those in `GET /models`.

    Raises:
        KeyError: it has not what a document of a model has.
    """
    return _digest({name: document[name] for name in SHOWN})


def _digest(shown: Any) -> str:
    text = json.dumps(shown, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
