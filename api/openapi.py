"""The OpenAPI document, written from the served models: each submit typed by its Input, each 202 by its Output. Pure.

By hand, since FastAPI types a body only by parsing it, which would cost every request a second validation.
"""

from collections.abc import Mapping
from typing import Any

from api.components import ModelComponents, all_schemas, document_schemas, model_components, reference
from api.options import Options
from api.problems import (
    BODY_TOO_LARGE,
    BROKEN_JSON,
    INVALID_INPUT,
    LEDGER_UNAVAILABLE,
    MEDIA_TYPE,
    OWNER_FULL,
    QUEUE_FULL,
    TABLE,
    TASK_FINISHED,
    TASK_GONE,
    UNKNOWN_MODEL,
    UNKNOWN_TASK,
    UNSUPPORTED_MEDIA_TYPE,
    Kind,
)
from shared.model import ModelSchema

Json = dict[str, Any]

SUBMIT_PROBLEMS = (
    BROKEN_JSON,
    BODY_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    INVALID_INPUT,
    OWNER_FULL,
    QUEUE_FULL,
    LEDGER_UNAVAILABLE,
)
TASK_PROBLEMS = (UNKNOWN_TASK, TASK_GONE, INVALID_INPUT, LEDGER_UNAVAILABLE)
WITH_RETRY_AFTER = (OWNER_FULL, QUEUE_FULL, LEDGER_UNAVAILABLE)
RETRY_AFTER: Json = {
    "Retry-After": {"description": "in how many seconds to ask again", "schema": {"type": "integer", "minimum": 1}}
}
LOCATION: Json = {"Location": {"description": "the task's path", "schema": {"type": "string"}}}


def openapi(schemas: Mapping[str, ModelSchema], *, title: str, version: str) -> Json:
    """Return the OpenAPI document of an API that serves `schemas`, the first being the default."""
    documents = document_schemas()
    models = {name: model_components(schema, documents["TaskDocument"]) for name, schema in schemas.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": "Long predictions behind a durable queue."},
        "paths": {**_submit_paths(schemas, models), **_task_paths(), **_state_paths()},
        "components": {
            "schemas": all_schemas(documents, models),
            "responses": {kind.name: _problem_response(kind) for kind in TABLE},
        },
    }


def _submit_paths(schemas: Mapping[str, ModelSchema], models: Mapping[str, ModelComponents]) -> Json:
    default = next(iter(schemas))
    named = {f"/task/{name}": {"post": _submit(schemas[name], models[name])} for name in schemas}
    to_default = {
        **named[f"/task/{default}"]["post"],
        "operationId": "submit",
        "summary": f"Submit to the default model, {default}",
    }
    return {"/task": {"post": to_default}, **named}


def _submit(schema: ModelSchema, components: ModelComponents) -> Json:
    body: Json = {"schema": components.input}
    if (example := schema.example()) is not None:
        body["example"] = example
    headers = {**LOCATION, **RETRY_AFTER}
    return {
        "operationId": f"submit_{schema.name}",
        "summary": f"Submit to {schema.name}",
        "description": schema.description or "",
        "tags": ["task"],
        "parameters": _option_parameters(schema.time_limit_seconds),
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "202": _answer("Accepted: it will reach a final state", components.task, headers),
            **_problems(SUBMIT_PROBLEMS),
        },
    }


def _option_parameters(longest_run: float) -> list[Json]:
    parameters = []
    for name, option in Options.model_json_schema()["properties"].items():
        schema = dict(option["anyOf"][0])
        if name == "time_limit":
            schema["maximum"] = longest_run
        parameters.append({"name": name, "in": "query", "description": option["description"], "schema": schema})
    return parameters


def _task_paths() -> Json:
    task = reference("TaskDocument")
    parameter = _in_path("task_id", {"type": "string", "format": "uuid"})
    read = _operation("read_task", "Read a task", _answer("The task as it is now", task, RETRY_AFTER), TASK_PROBLEMS)
    cancel = _operation(
        "cancel_task",
        "Cancel a task, queued or running; again does no harm",
        _answer("The task, canceled", task),
        (*TASK_PROBLEMS, TASK_FINISHED),
    )
    return {
        "/task/{task_id}": {"parameters": [parameter], "get": {**read, "tags": ["task"]}},
        "/task/{task_id}/cancel": {"parameters": [parameter], "post": {**cancel, "tags": ["task"]}},
    }


def _state_paths() -> Json:
    away = (LEDGER_UNAVAILABLE,)
    return {
        "/models": {"get": _state("list_models", "What is served", "ModelsDocument", away)},
        "/models/{model}": {
            "parameters": [_in_path("model", {"type": "string"})],
            "get": _state(
                "read_model", "What a model takes, gives and allows", "ModelDocument", (UNKNOWN_MODEL, *away)
            ),
        },
        "/livez": {"get": _state("livez", "Whether this process answers; Redis is not asked", "LiveDocument", ())},
        "/readyz": {"get": _state("readyz", "Whether tasks can be accepted", "ReadyDocument", away)},
    }


def _state(id: str, summary: str, document: str, kinds: tuple[Kind, ...]) -> Json:
    return {**_operation(id, summary, _answer(summary, reference(document)), kinds), "tags": ["service"]}


def _operation(id: str, summary: str, answer: Json, kinds: tuple[Kind, ...]) -> Json:
    return {"operationId": id, "summary": summary, "responses": {"200": answer, **_problems(kinds)}}


def _in_path(name: str, schema: Json) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _answer(description: str, schema: Json, headers: Json | None = None) -> Json:
    content = {"application/json": {"schema": schema}}
    return {"description": description, "content": content, **({"headers": headers} if headers else {})}


def _problems(kinds: tuple[Kind, ...]) -> Json:
    by_status: dict[int, list[Kind]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    return {str(status): _problem_of(found) for status, found in by_status.items()}


def _problem_of(kinds: list[Kind]) -> Json:
    """Return the answer of one status: a reference, or what stands for several kinds that share it."""
    if len(kinds) == 1:
        return {"$ref": f"#/components/responses/{kinds[0].name}"}
    return {**_problem_response(kinds[0]), "description": ", or ".join(kind.title for kind in kinds)}


def _problem_response(kind: Kind) -> Json:
    headers = {"headers": RETRY_AFTER} if kind in WITH_RETRY_AFTER else {}
    content = {MEDIA_TYPE: {"schema": reference("ProblemDocument")}}
    return {"description": kind.title, "content": content, **headers}
