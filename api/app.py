"""The application: endpoints, error table and OpenAPI document put together. Nothing connects before a request does."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any

from fastapi import FastAPI
from opentelemetry.trace import TracerProvider
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from api.changes import Changes
from api.courier import Courier
from api.docs import docs_routes
from api.door import Door
from api.envelope import BodyLimit, Envelope
from api.lane import Fork, Lane
from api.ledger import BoundedLedger
from api.metering import Metering
from api.metrics import MetricsEndpoint
from api.openapi import openapi
from api.pace import Pace
from api.problems import Problem, on_http_exception, on_problem
from api.served import ServedModels
from api.state import StateEndpoints
from api.tasks import TaskEndpoints
from api.tracing import submitting, telemetry, untraced
from shared.ledger.connection import AsyncLedger
from shared.ledger.records import Rate
from shared.model import ModelSchema
from shared.settings import Settings

TITLE = "Penstock"
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class App:
    """What a server serves, and what it calls when it begins to stop."""

    serve: ASGIApp
    framework: FastAPI
    leave: Callable[[], None]


def create_app(
    settings: Settings,
    schemas: Mapping[str, ModelSchema],
    ledger: AsyncLedger,
    provider: TracerProvider | None = None,
) -> App:
    """Return the application that serves `schemas` (at least one; the first is the default) from `ledger`.

    The endpoints are plain routes and the OpenAPI document is written by api.openapi: FastAPI's own would parse and
    build every body once more, and cost a fifth of a request. With a `provider` of traces every request is a span, and
    it is the framework that makes them: then none goes past it.
    """
    served, metering, changes = ServedModels(schemas), Metering(schemas), Changes(ledger)
    bounded = BoundedLedger(ledger, metering.missed)
    courier = Courier(bounded, settings.callback_rules, settings.callback_secret, settings.callback_retry_seconds)
    tasks = TaskEndpoints(bounded, changes, served, settings, submitting if provider else untraced)
    layers = [
        Middleware(Envelope, metering=metering),
        Middleware(Door, keys=settings.keys),
        Middleware(Pace, ledger=bounded, rate=Rate(*settings.rate) if settings.rate else None),
        Middleware(BodyLimit, limit=settings.max_body_bytes),
    ]
    routes = [
        *tasks.routes(),
        *StateEndpoints(bounded, served).routes(),
        *MetricsEndpoint(bounded, metering, served.names, version()).routes(),
        *docs_routes(TITLE),
    ]
    framework = _framework(routes, layers, _background(bounded, changes, courier), provider)
    document = contract(settings, schemas)
    framework.openapi = lambda: document  # type: ignore[method-assign]  # FastAPI's documented way to bring one's own
    lane = behind(layers, Lane(tasks.post_read_or_forget))
    return App(framework if provider else Fork(lane, framework), framework, changes.leave)


def _framework(
    routes: Sequence[BaseRoute], layers: Sequence[Middleware], lifespan: Lifespan, provider: TracerProvider | None
) -> FastAPI:
    return FastAPI(
        title=TITLE,
        version=version(),
        routes=list(routes),
        middleware=layers,
        exception_handlers={Problem: on_problem, HTTPException: on_http_exception},
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        telemetry=telemetry(provider),
    )


def behind(layers: Sequence[Middleware], app: ASGIApp) -> ASGIApp:
    """Return `app` with `layers` around it, as the framework puts them around its own."""
    for layer, arguments, named in reversed(layers):
        app = layer(app, *arguments, **named)
    return app


def contract(settings: Settings, schemas: Mapping[str, ModelSchema]) -> dict[str, Any]:
    """Return the OpenAPI document of the application that serves `schemas`."""
    return openapi(schemas, title=TITLE, version=version(), keys=bool(settings.keys), rate=bool(settings.rate))


def version() -> str:
    """Return the version of the installed distribution, or 0 when Penstock runs from a tree that is not installed."""
    try:
        return installed_version("penstock")
    except PackageNotFoundError:
        return "0"


def _background(ledger: BoundedLedger, changes: Changes, courier: Courier) -> Lifespan:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        courier.start()
        try:
            yield
        finally:
            await courier.stop()
            await changes.stop()
            await ledger.close()

    return lifespan
