"""The OpenAPI document, written from the served models: each submit typed by its Input, each 202 by its Output. Pure.

By hand, since FastAPI types a body only by parsing it, which would cost every request a second validation.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from api.components import ModelComponents, all_schemas, document_schemas, model_components, reference
from api.door import OPEN
from api.options import Listing, Options, Reading
from api.parameters import (
    APPLIED,
    CACHING,
    CONTENT_LOCATION,
    IDEMPOTENCY_KEY,
    IF_NONE_MATCH,
    LAST_EVENT_ID,
    LOCATION,
    PREFER,
    RATE_FIELDS,
    REPLAYED,
    RETRY_AFTER,
    header,
    in_path,
    query_parameters,
)
from api.problems import (
    BAD_HEADER,
    BODY_TOO_LARGE,
    BROKEN_JSON,
    INVALID_INPUT,
    KEY_REUSED,
    LEDGER_UNAVAILABLE,
    MEDIA_TYPE,
    NOT_RETRYABLE,
    OWNER_FULL,
    QUEUE_FULL,
    TABLE,
    TASK_FINISHED,
    TASK_GONE,
    TOO_FAST,
    UNAUTHORIZED,
    UNKNOWN_MODEL,
    UNKNOWN_TASK,
    UNSUPPORTED_MEDIA_TYPE,
    Kind,
)
from shared.model import ModelSchema

Json = dict[str, Any]
Kinds = tuple[Kind, ...]

FULL = (OWNER_FULL, QUEUE_FULL)
SUBMIT_PROBLEMS = (
    BAD_HEADER,
    BROKEN_JSON,
    TASK_GONE,
    BODY_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    INVALID_INPUT,
    KEY_REUSED,
    *FULL,
    LEDGER_UNAVAILABLE,
)
TASK_PROBLEMS = (UNKNOWN_TASK, TASK_GONE, INVALID_INPUT, LEDGER_UNAVAILABLE)
WITH_RETRY_AFTER = (*FULL, TOO_FAST, LEDGER_UNAVAILABLE)
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
    paths = {**_submit_paths(schemas, models), **_task_paths(), **_state_paths()}
    components: Json = {
        "schemas": all_schemas(documents, models),
        "responses": {kind.name: _problem_response(kind) for kind in TABLE},
    }
    closed = [operation for path in paths.keys() - OPEN for operation in _operations(paths[path])]
    if keys:
        components["securitySchemes"] = SECURITY
        for operation in closed:
            operation["security"] = [{scheme: []} for scheme in SECURITY]
            operation["responses"] |= _problems((UNAUTHORIZED,))
    if rate:
        for operation in closed:
            _limit(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": "Long predictions behind a durable queue."},
        "paths": paths,
        "components": components,
    }


def _operations(path: Json) -> list[Json]:
    return [operation for name, operation in path.items() if name != "parameters"]


def _limit(operation: Json) -> None:
    """Say of an operation that its requests are counted."""
    kinds = (OWNER_FULL, TOO_FAST) if "429" in operation["responses"] else (TOO_FAST,)
    operation["responses"] |= _problems(kinds)
    for status, answer in operation["responses"].items():
        if "$ref" not in answer:
            operation["responses"][status] = {**answer, "headers": {**answer.get("headers", {}), **RATE_FIELDS}}


def _submit_paths(schemas: Mapping[str, ModelSchema], models: Mapping[str, ModelComponents]) -> Json:
    default = next(iter(schemas))
    named = {f"/task/{name}": {"post": _submit(schemas[name], models[name])} for name in schemas}
    to_default = {
        **named[f"/task/{default}"]["post"],
        "operationId": "submit",
        "summary": f"Submit to the default model, {default}",
        "responses": dict(named[f"/task/{default}"]["post"]["responses"]),
    }
    page = _answer("A page of your tasks", reference("TasksDocument"))
    listing = _operation("list_tasks", "List your tasks, the newest first", page, (INVALID_INPUT, LEDGER_UNAVAILABLE))
    return {
        "/task": {"post": to_default, "get": {**listing, "tags": ["task"], "parameters": query_parameters(Listing)}},
        **named,
    }


def _submit(schema: ModelSchema, components: ModelComponents) -> Json:
    body: Json = {"schema": components.input}
    if (example := schema.example()) is not None:
        body["example"] = example
    headers = {**LOCATION, **REPLAYED, **APPLIED}
    return {
        "operationId": f"submit_{schema.name}",
        "summary": f"Submit to {schema.name}",
        "description": schema.description or "",
        "tags": ["task"],
        "parameters": [*query_parameters(Options, time_limit=schema.time_limit_seconds), PREFER, IDEMPOTENCY_KEY],
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "200": _answer("It has ended while the client waited", components.task, headers),
            "202": _answer("Accepted: it will reach a final state", components.task, {**headers, **RETRY_AFTER}),
            **_problems(SUBMIT_PROBLEMS),
        },
    }


def _task_paths() -> Json:
    return {
        "/task/{task_id}": _task_path(get=_read(), delete=_forget()),
        "/task/{task_id}/cancel": _task_path(post=_cancel()),
        "/task/{task_id}/retry": _task_path(post=_retry()),
        "/task/{task_id}/events": _task_path(get=_events()),
    }


def _task_path(**operations: Json) -> Json:
    parameter = in_path("task_id", {"type": "string", "format": "uuid"})
    tagged = {method: {**operation, "tags": ["task"]} for method, operation in operations.items()}
    return {"parameters": [parameter], **tagged}


def _read() -> Json:
    answer = _answer("The task as it is now", reference("TaskDocument"), {**RETRY_AFTER, **CACHING, **APPLIED})
    operation = _operation("read_task", "Read a task", answer, TASK_PROBLEMS)
    operation["responses"]["304"] = {"description": "It reads as it did", "headers": CACHING}
    return {**operation, "parameters": [*query_parameters(Reading), PREFER, IF_NONE_MATCH]}


def _forget() -> Json:
    gone = {"204": {"description": "Canceled if need be, and forgotten"}}
    responses = {**gone, **_problems(TASK_PROBLEMS)}
    return {"operationId": "forget_task", "summary": "Cancel a task if need be, and forget it", "responses": responses}


def _cancel() -> Json:
    answer = _answer("The task, canceled", reference("TaskDocument"), CONTENT_LOCATION)
    summary = "Cancel a task, queued or running; again does no harm"
    return _operation("cancel_task", summary, answer, (*TASK_PROBLEMS, TASK_FINISHED))


def _retry() -> Json:
    headers = {**LOCATION, **CONTENT_LOCATION, **RETRY_AFTER}
    accepted = {"202": _answer("Queued again", reference("TaskDocument"), headers)}
    return {
        "operationId": "retry_task",
        "summary": "Have a failed or canceled task run again, under the same id",
        "responses": {**accepted, **_problems((*TASK_PROBLEMS, NOT_RETRYABLE, *FULL))},
    }


def _events() -> Json:
    stream = {
        "description": "Events: `task` with the document, now and at every change; `end`; `gone` if it is forgotten",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
        "headers": {"Cache-Control": header("no-store", {"type": "string"})},
    }
    operation = _operation("watch_task", "Follow a task", stream, TASK_PROBLEMS)
    operation["responses"]["204"] = {"description": "Its last event has been seen: there will be no other"}
    return {**operation, "parameters": [LAST_EVENT_ID]}


def _state_paths() -> Json:
    away = (LEDGER_UNAVAILABLE,)
    return {
        "/models": {"get": _state("list_models", "What is served", "ModelsDocument", away)},
        "/models/{model}": {
            "parameters": [in_path("model", {"type": "string"})],
            "get": _state(
                "read_model", "What a model takes, gives and allows", "ModelDocument", (UNKNOWN_MODEL, *away)
            ),
        },
        "/livez": {"get": _state("livez", "Whether this process answers; Redis is not asked", "LiveDocument", ())},
        "/readyz": {"get": _state("readyz", "Whether tasks can be accepted", "ReadyDocument", away)},
    }


def _state(id: str, summary: str, document: str, kinds: Kinds) -> Json:
    return {**_operation(id, summary, _answer(summary, reference(document)), kinds), "tags": ["service"]}


def _operation(id: str, summary: str, answer: Json, kinds: Kinds) -> Json:
    return {"operationId": id, "summary": summary, "responses": {"200": answer, **_problems(kinds)}}


def _answer(description: str, schema: Json, headers: Json | None = None) -> Json:
    content = {"application/json": {"schema": schema}}
    return {"description": description, "content": content, **({"headers": headers} if headers else {})}


def _problems(kinds: Iterable[Kind]) -> Json:
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
