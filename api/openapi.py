"""The OpenAPI document, written from the served models: each submit typed by its Input, each 202 by its Output. Pure.

By hand, since FastAPI types a body only by parsing it, which would cost every request a second validation.
"""

from collections.abc import Mapping
from typing import Any

from api.answers import count_requests, problem, problems
from api.components import all_schemas, document_schemas, model_components
from api.door import OPEN
from api.parameters import HEADERS
from api.paths import all_paths
from api.problems import INTERNAL_ERROR, OWNER_FULL, TABLE, TOO_FAST, UNAUTHORIZED
from shared.model import ModelSchema

Json = dict[str, Any]

SECURITY: Json = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def openapi(
    schemas: Mapping[str, ModelSchema], *, title: str, version: str, keys: bool = True, rate: bool = True
) -> Json:
    """Return the OpenAPI document of an API that serves `schemas`, the first being the default.

    `keys` tells whether a key is asked for, `rate` whether requests are counted.
    """
    documents = document_schemas()
    models = {name: model_components(schema, documents["TaskDocument"]) for name, schema in schemas.items()}
    paths = all_paths(schemas, models)
    for path, operation in _operations(paths):
        _complete(operation, keys=keys and path not in OPEN, rate=rate and path not in OPEN)
    components: Json = {
        "schemas": all_schemas(documents, models),
        "responses": _problems_referred_to(paths),
        "headers": HEADERS,
    }
    if keys:
        components["securitySchemes"] = SECURITY
    if rate:
        count_requests(components["responses"].values())
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": "Long predictions behind a durable queue."},
        "paths": paths,
        "components": components,
    }


def _operations(paths: Json) -> list[tuple[str, Json]]:
    return [
        (path, operation)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if method != "parameters"
    ]


def _problems_referred_to(paths: Json) -> Json:
    answers = [found for _, operation in _operations(paths) for found in operation["responses"].values()]
    names = {found["$ref"].rpartition("/")[2] for found in answers if "$ref" in found}
    return {kind.name: problem(kind) for kind in TABLE if kind.name in names}


def _complete(operation: Json, *, keys: bool, rate: bool) -> None:
    """Add what any operation may answer, and what it asks for."""
    responses = {**operation["responses"], **problems((INTERNAL_ERROR,))}
    if keys:
        operation["security"] = [{scheme: []} for scheme in SECURITY]
        responses |= problems((UNAUTHORIZED,))
    if rate:
        responses |= problems((OWNER_FULL, TOO_FAST) if "429" in responses else (TOO_FAST,))
        count_requests(responses.values())
    operation["responses"] = dict(sorted(responses.items()))
