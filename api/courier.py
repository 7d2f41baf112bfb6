"""The courier: tells the receivers of callbacks that tasks have ended, from the ledger's outbox.

Every API process has one. What to tell is written down in the step that ends a task, so no death loses it; a courier
holds what it delivers as a worker holds its leases, and when it dies another takes over within HOLD_SECONDS. So a
receiver may be told twice, under the same `webhook-id`, and never under two (Standard Webhooks 1.0.0: receivers drop
an id that they have seen).
"""

import asyncio
import random
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx2
import structlog

from api.delivery import Answer, after, headers_of, payload_of
from api.ledger import BoundedLedger
from api.problems import Problem
from shared.ledger import calls
from shared.ledger.records import Delivery
from shared.outward import (
    Address,
    ForbiddenError,
    Rule,
    Target,
    UnresolvedError,
    check_addresses,
    check_url,
    host_header,
    pinned,
    resolve,
)
from shared.task import DeliveryState

LOOK_SECONDS = 0.5
AT_ONCE = 32  # deliveries under way
CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 15.0  # Standard Webhooks: 15 to 30 s
HOLD_SECONDS = 5.0  # of a delivery under way, renewed while it lasts: as long as a dead courier goes unnoticed
log = structlog.get_logger()


class Courier:
    """Delivers until it is stopped. `rules` are what the operator allows, `master` is what secrets are made from."""

    def __init__(self, ledger: BoundedLedger, rules: tuple[Rule, ...], master: str, first_pause: float) -> None:
        self._ledger = ledger
        self._rules = rules
        self._master = master
        self._first_pause = first_pause
        self._under_way: set[asyncio.Task[None]] = set()
        self._held: set[Delivery] = set()  # those whose receivers have yet to answer
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver, in the background; without rules there is nothing to deliver."""
        if not self._rules:
            return
        self._task = asyncio.create_task(self._run(), name="courier")

    async def stop(self) -> None:
        """Stop at once. What is under way is delivered by another courier, or the next."""
        tasks = {task for task in (self._task, *self._under_way) if task is not None}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self) -> None:
        # Not the environment's proxies: whoever sets one for models to download weights does not mean callbacks.
        context = httpx2.create_ssl_context()
        timeout = httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        async with httpx2.AsyncClient(verify=context, trust_env=False, timeout=timeout) as http:
            while True:
                await self._collect(http)
                await asyncio.sleep(LOOK_SECONDS)

    async def _collect(self, http: httpx2.AsyncClient) -> None:
        free = AT_ONCE - len(self._under_way)
        try:
            deliveries = await self._ledger.run(calls.collect(free, int(HOLD_SECONDS * 1000), self._held))
        except Problem:
            return  # they stay where they are
        for delivery in deliveries:
            task = asyncio.create_task(self._deliver(http, delivery))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _deliver(self, http: httpx2.AsyncClient, delivery: Delivery) -> None:
        chance = random.random()  # noqa: S311 (spreads the tries; guessing it gains nothing)
        verdict = after(await self._try(http, delivery), delivery.attempt, self._first_pause, chance)
        try:
            await self._ledger.run(calls.settle(delivery, verdict.state, verdict.pause_ms, verdict.answer))
        except Problem:
            return  # it is tried again after the hold: a receiver that has taken it knows its id
        say = log.info if verdict.state is DeliveryState.DELIVERED else log.warning
        host = urlsplit(delivery.url).hostname  # not the rest of the URL, which may hold a secret
        say("callback", task_id=delivery.task_id, host=host, state=verdict.state.value, answer=verdict.answer)

    async def _try(self, http: httpx2.AsyncClient, delivery: Delivery) -> Answer | str:
        """Return what the receiver answered, or a word for why it did not. Meanwhile it is held."""
        self._held.add(delivery)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._post(http, delivery)
        except UnresolvedError:
            return "unresolved"
        except ForbiddenError:
            return "forbidden"
        except (httpx2.TimeoutException, TimeoutError):
            return "timeout"
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError):
            return "unreachable"
        finally:
            self._held.discard(delivery)  # before it is settled: no look prolongs the pause that follows

    async def _post(self, http: httpx2.AsyncClient, delivery: Delivery) -> Answer:
        target, address = await self._checked(delivery.url)
        body = payload_of(delivery)
        request = http.build_request(
            "POST",
            pinned(delivery.url, address),
            content=body,
            headers={
                "Host": host_header(delivery.url),
                **headers_of(delivery, body, self._master, datetime.now(UTC)),
            },
            extensions={"sni_hostname": target.host},
        )
        response = await http.send(request, stream=True, follow_redirects=False)
        await response.aclose()  # what it says beside is nobody's business
        return Answer(response.status_code, response.headers.get("retry-after"))

    async def _checked(self, url: str) -> tuple[Target, Address]:
        """Return what a URL names, and an address of it that may be connected to."""
        target, must_be_public = check_url(url, self._rules)
        addresses = await asyncio.to_thread(resolve, target)
        check_addresses(addresses, must_be_public=must_be_public)
        return target, addresses[0]
