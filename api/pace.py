"""The pace: how many requests one owner may make, and what every answer tells of it.

Fields as in draft-ietf-httpapi-ratelimit-headers-11: `RateLimit-Policy` and `RateLimit`, each of one policy.
"""

import math

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.door import OWNER, is_open
from api.ledger import BoundedLedger
from api.problems import TOO_FAST, Problem, response
from shared.ledger import calls
from shared.ledger.records import Rate, RateState


class Pace:
    """Answers 429 to an owner who asks too fast. It stands behind the door, so who has no key is not counted."""

    def __init__(self, app: ASGIApp, ledger: BoundedLedger, rate: Rate | None) -> None:
        self._app = app
        self._ledger = ledger
        self._rate = rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server."""
        if self._rate is None or scope["type"] != "http" or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            state = await self._ledger.run(calls.admit(scope[OWNER], self._rate))
        except Problem as away:
            await response(away, scope)(scope, receive, send)
            return
        fields = rate_fields(self._rate, state)
        if not state.admitted:
            await response(too_fast(self._rate, state, fields), scope)(scope, receive, send)
            return
        extra = [(name.lower().encode(), value.encode()) for name, value in fields.items()]

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        await self._app(scope, receive, send_more)


def rate_fields(rate: Rate, state: RateState) -> dict[str, str]:
    """Return the fields that tell an owner how many more requests they may make, and when none will be missing."""
    return {
        "RateLimit-Policy": f'"requests";q={rate.quota};w={math.ceil(rate.window_ms / 1000)}',
        "RateLimit": f'"requests";r={state.remaining};t={math.ceil(state.full_in_ms / 1000)}',
    }


def too_fast(rate: Rate, state: RateState, fields: dict[str, str]) -> Problem:
    """Return the answer to a request too many."""
    seconds = max(1, math.ceil(state.next_in_ms / 1000))
    detail = f"{rate.quota} requests in {rate.window_ms / 1000:g} s are allowed."
    return Problem(TOO_FAST, detail, headers={"Retry-After": str(seconds), **fields})
