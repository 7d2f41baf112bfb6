"""The door: who asks, and whether they may. What is behind it knows the owner of every request, and no key."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import UNAUTHORIZED, Problem, response
from shared.keys import KeyLine, owner_of

OWNER = "penstock.owner"  # in the scope of every request that came in
OPEN = frozenset({"/", "/livez", "/readyz", "/docs", "/openapi.json"})  # probes have no key; the contract is no secret
OPEN_BELOW = ("/docs/",)
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="penstock"'}


class Door:
    """Answers 401 to whoever has no key, before anything is read or looked up. Without `keys` everyone may come in."""

    def __init__(self, app: ASGIApp, keys: Sequence[KeyLine]) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            scope[OWNER] = self._owner(scope)
        except Problem as problem:
            await response(problem, scope)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _owner(self, scope: Scope) -> str:
        if not self._keys or is_open(scope["path"]):
            return ""
        given = given_keys(scope["headers"])
        if not given:
            raise Problem(
                UNAUTHORIZED, "Send a key, as Authorization: Bearer <key> or as X-API-Key: <key>.", headers=CHALLENGE
            )
        owner = owner_of(given[0], self._keys) if len(set(given)) == 1 else None
        if owner is None:
            raise Problem(UNAUTHORIZED, "This key is not known here.", headers=CHALLENGE)
        return owner


def is_open(path: str) -> bool:
    """Tell whether a path answers everyone."""
    return path in OPEN or path.startswith(OPEN_BELOW)


def given_keys(headers: Sequence[tuple[bytes, bytes]]) -> list[str]:
    """Return every key in the headers of a request: of the scheme Bearer, or in X-API-Key."""
    found = []
    for name, value in headers:
        text = value.decode("latin-1").strip()
        if name == b"authorization":
            scheme, _, rest = text.partition(" ")
            if scheme.lower() == "bearer" and rest.strip():
                found.append(rest.strip())
        elif name == b"x-api-key" and text:
            found.append(text)
    return found
