"""The paths of the OpenAPI document: what can be done at each, what it takes and what it answers. Pure."""

from collections.abc import Mapping
from typing import Any

from api.answers import answer, empty, problems
from api.components import ModelComponents, reference
from api.options import Listing, Options, Reading
from api.parameters import (
    CACHING,
    CONTENT_LOCATION,
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
    INVALID_INPUT,
    KEY_REUSED,
    LEDGER_UNAVAILABLE,
    NOT_RETRYABLE,
    OWNER_FULL,
    QUEUE_FULL,
    REQUEST_TIMEOUT,
    TASK_FINISHED,
    TASK_GONE,
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


def all_paths(schemas: Mapping[str, ModelSchema], models: Mapping[str, ModelComponents]) -> Json:
    """Return every path of an API that serves `schemas`, the first being the default, by their components."""
    return {**_submit_paths(schemas, models), **_task_paths(), **_state_paths()}


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
