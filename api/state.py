"""The endpoints that tell the state of the service: what is served, whether this process lives, whether it can work."""

from typing import Any, Literal

from pydantic import BaseModel
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.ledger import BoundedLedger
from api.served import ServedModels
from shared.ledger import calls


class LiveDocument(BaseModel):
    """This process answers."""

    status: Literal["alive"]


class CapacityDocument(BaseModel):
    """Who runs the tasks of one model."""

    workers: int
    slots: int


class ReadyDocument(BaseModel):
    """This process can accept tasks. Whether anyone runs them is told, and is no part of it."""

    status: Literal["ready"]
    redis: Literal["ok"]
    models: dict[str, CapacityDocument]


class StateEndpoints:
    """What answers under /models, /livez and /readyz."""

    def __init__(self, ledger: BoundedLedger, served: ServedModels) -> None:
        self._ledger = ledger
        self._served = served

    def routes(self) -> list[BaseRoute]:
        """Return the routes of these endpoints."""
        return [
            Route("/models", self.models),
            Route("/models/{model}", self.model),
            Route("/livez", self.live),
            Route("/readyz", self.ready),
        ]

    async def models(self, _: Request) -> Response:
        """GET /models."""
        census = await self._ledger.run(calls.census(self._served.names))
        return _answer({"models": [self._served.document(name, row) for name, row in census.items()]})

    async def model(self, request: Request) -> Response:
        """GET /models/{model}."""
        name = self._served.require(request.path_params["model"])
        census = await self._ledger.run(calls.census([name]))
        return _answer(self._served.document(name, census[name]))

    async def live(self, _: Request) -> Response:
        """GET /livez: asks nobody, so that an outage of Redis restarts no API process."""
        return _answer({"status": "alive"})

    async def ready(self, _: Request) -> Response:
        """GET /readyz: 503 while Redis does not answer."""
        census = await self._ledger.run(calls.census(self._served.names))
        models = {name: {"workers": row.workers, "slots": row.slots} for name, row in census.items()}
        return _answer({"status": "ready", "redis": "ok", "models": models})


def _answer(document: dict[str, Any]) -> Response:
    return Response(to_json(document), headers={"Cache-Control": "no-store"}, media_type="application/json")
