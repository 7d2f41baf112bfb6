"""The OpenAPI document, written from the served models: each submit typed by its Input, each 202 by its Output. Pure.

By hand, since FastAPI types a body only by parsing it, which would cost every request a second validation.
"""

from collections.abc import Mapping
from typing import Any

from api.answers import answer, count_requests, empty, problem, problems
from api.components import ModelComponents, all_schemas, document_schemas, model_components, reference
from api.door import OPEN
from api.options import Listing, Options, Reading
from api.parameters import (
    CACHING,
    CONTENT_LOCATION,
    HEADERS,
    IDEMPOTENCY_KEY,
    IF_NONE_MATCH,
    LAST_EVENT_ID,
    LOCATION,
    PREFER,
    REPLAYED,
    RETRY_AFTER,
    WAITED,
    in_path,
    named,
    query_parameters,
)
from api.problems import (
    BAD_HEADER,
    BODY_TOO_LARGE,
    BROKEN_JSON,
    INTERNAL_ERROR,
    INVALID_INPUT,
    KEY_REUSED,
    LEDGER_UNAVAILABLE,
    NOT_RETRYABLE,
    OWNER_FULL,
    QUEUE_FULL,
    REQUEST_TIMEOUT,
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
    REQUEST_TIMEOUT,
    TASK_GONE,
    BODY_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    INVALID_INPUT,
    KEY_REUSED,
    *FULL,
    LEDGER_UNAVAILABLE,
)
TASK_PROBLEMS = (UNKNOWN_TASK, TASK_GONE, INVALID_INPUT, LEDGER_UNAVAILABLE)
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


def _submit_paths(schemas: Mapping[str, ModelSchema], models: Mapping[str, ModelComponents]) -> Json:
    default = next(iter(schemas))
    by_name = {f"/task/{name}": {"post": _submit(schemas[name], models[name])} for name in schemas}
    to_default = {
        **by_name[f"/task/{default}"]["post"],
        "operationId": "submit",
        "summary": f"Submit to the default model, {default}",
        "responses": dict(by_name[f"/task/{default}"]["post"]["responses"]),
    }
    page = answer("A page of your tasks", reference("TasksDocument"))
    listing = _operation("list_tasks", "List your tasks, the newest first", page, (INVALID_INPUT, LEDGER_UNAVAILABLE))
    return {
        "/task": {"post": to_default, "get": {**listing, "tags": ["task"], "parameters": query_parameters(Listing)}},
        **by_name,
    }


def _submit(schema: ModelSchema, components: ModelComponents) -> Json:
    body: Json = {"schema": components.input}
    if (example := schema.example()) is not None:
        body["example"] = example
    headers = {**LOCATION, **REPLAYED, **WAITED}
    return {
        "operationId": f"submit_{schema.name}",
        "summary": f"Submit to {schema.name}",
        "description": schema.description or "",
        "tags": ["task"],
        "parameters": [*query_parameters(Options, time_limit=schema.time_limit_seconds), PREFER, IDEMPOTENCY_KEY],
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "200": answer("It has ended while the client waited", components.task, headers),
            "202": answer("Accepted: it will reach a final state", components.task, {**headers, **RETRY_AFTER}),
            **problems(SUBMIT_PROBLEMS),
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
    ok = answer("The task as it is now", reference("AnyTask"), {**RETRY_AFTER, **CACHING, **WAITED})
    operation = _operation("read_task", "Read a task", ok, TASK_PROBLEMS)
    operation["responses"]["304"] = empty("It reads as it did", {**RETRY_AFTER, **CACHING, **WAITED})
    return {**operation, "parameters": [*query_parameters(Reading), PREFER, IF_NONE_MATCH]}


def _forget() -> Json:
    gone = {"204": empty("Canceled if need be, and forgotten")}
    responses = {**gone, **problems(TASK_PROBLEMS)}
    return {"operationId": "forget_task", "summary": "Cancel a task if need be, and forget it", "responses": responses}


def _cancel() -> Json:
    ok = answer("The task, canceled", reference("TaskDocument"), CONTENT_LOCATION)
    summary = "Cancel a task, queued or running; again does no harm"
    return _operation("cancel_task", summary, ok, (*TASK_PROBLEMS, TASK_FINISHED))


def _retry() -> Json:
    headers = {**LOCATION, **CONTENT_LOCATION, **RETRY_AFTER}
    accepted = {"202": answer("Queued again", reference("TaskDocument"), headers)}
    return {
        "operationId": "retry_task",
        "summary": "Have a failed or canceled task run again, under the same id",
        "responses": {**accepted, **problems((*TASK_PROBLEMS, NOT_RETRYABLE, *FULL))},
    }


def _events() -> Json:
    stream = answer(
        "Events: `task` with the document, now and at every change; `end`; `gone` if it is forgotten",
        reference("TaskEvent"),
        named("X-Accel-Buffering"),
        media_type="text/event-stream",
    )
    operation = _operation("watch_task", "Follow a task", stream, TASK_PROBLEMS)
    operation["responses"]["204"] = empty("Its last event has been seen: there will be no other")
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
        "/metrics": {"get": _metrics()},
    }


def _metrics() -> Json:
    text = answer(
        "In Prometheus's text format; OpenMetrics if that is asked for", {"type": "string"}, media_type="text/plain"
    )
    return {
        **_operation("metrics", "What there is and what has happened, for monitoring", text, ()),
        "tags": ["service"],
    }


def _state(id: str, summary: str, document: str, kinds: Kinds) -> Json:
    return {**_operation(id, summary, answer(summary, reference(document)), kinds), "tags": ["service"]}


def _operation(id: str, summary: str, ok: Json, kinds: Kinds) -> Json:
    return {"operationId": id, "summary": summary, "responses": {"200": ok, **problems(kinds)}}
