"""The lane: the short way to a task, which most requests take.

The framework's way to the same endpoint costs more than the endpoint does: a dozen layers, and a route that is found by
regular expressions. The lane leads past those and past nothing else. The layers that are ours stand in front of both,
and what is not certainly for the lane goes to the framework.
"""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import Problem, response

METHODS = frozenset({"GET", "POST", "DELETE"})  # of /task/{name}; HEAD is the framework's, as whatever is refused
PREFIX = "/task/"
Endpoint = Callable[[Request], Awaitable[Response]]


class Fork:
    """Sends a connection of the server down the lane, or to the framework."""

    def __init__(self, lane: ASGIApp, framework: ASGIApp) -> None:
        self._lane = lane
        self._framework = framework

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server."""
        name = task_or_model(scope)
        if name:
            scope["path_params"] = {"name": name}
            await self._lane(scope, receive, send)
        else:
            await self._framework(scope, receive, send)


class Lane:
    """Serves one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server."""
        try:
            answer = await self._endpoint(Request(scope, receive, send))
        except Problem as problem:
            answer = response(problem, scope)
        await answer(scope, receive, send)


def task_or_model(scope: Scope) -> str:
    """Return what follows /task/ in a request for the lane; empty: it is another request."""
    if scope["type"] != "http" or scope["method"] not in METHODS:
        return ""
    prefix, found, name = scope["path"].partition(PREFIX)
    return name if found and not prefix and "/" not in name else ""
