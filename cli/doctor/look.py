"""Looking: what the doctor asks the server and the API. Each question has its time, so a frozen one holds nobody up."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from cli.client import problem
from cli.doctor.sight import ApiSight, LedgerSight, SentinelSight, ServerSight
from cli.embedded import socket_url
from shared.address import Address, parse_address
from shared.ledger import calls
from shared.ledger.connect import SENTINEL_SECONDS, connect
from shared.ledger.connection import Ledger
from shared.ledger.sentinel import PLACE, sentinel_client
from shared.settings import is_loopback
from shared.shape import shape_of_document

ANSWER_SECONDS = 2.0
API_SECONDS = 3.0
CONFIG = ("appendfsync", "list-compress-depth", "min-replicas-to-write", "save")


class UrlError(Exception):
    """This is no URL of a Redis; the message names the setting and holds no password."""


def running_server(data_dir: Path) -> str:
    """Return the URL of the embedded server that `penstock up` runs on this data directory; empty if none does."""
    path = data_dir.resolve() / "valkey.sock"
    return socket_url(path) if path.is_socket() else ""


def look_at_ledger(url: str) -> LedgerSight:
    """Ask the server what it is, and the ledger on it how it does. Takes a few seconds at most, whatever is wrong.

    Raises:
        UrlError: this is no URL of a Redis.
    """
    try:
        address = parse_address(url)
    except ValueError as error:
        raise UrlError(f"PENSTOCK_REDIS_URL: {error}") from None
    sentinels = tuple(_sentinel(address, host, port) for host, port in address.hosts) if address.primary else ()
    ledger = connect(url, name="penstock-doctor", answer_seconds=ANSWER_SECONDS, repeats=0)
    server = None
    try:
        server = _server(ledger)
        return LedgerSight(server, ledger.run(calls.checkup()), sentinels=sentinels)
    except (RedisError, OSError) as error:
        return LedgerSight(server, trouble=_said(error), sentinels=sentinels)
    finally:
        ledger.close()


def look_at_api(url: str, key: str, *, is_named: bool) -> ApiSight:
    """Ask the API which models it serves. `is_named` tells whether somebody said that it is there."""
    try:
        answer = _get_models(url, key)
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        return ApiSight(url, is_named, said=str(error) or type(error).__name__)
    try:
        body = answer.json()
    except ValueError:
        body = None
    return read_answer(url, answer.status_code, body, is_named=is_named)


def read_answer(url: str, status: int, body: Any, *, is_named: bool) -> ApiSight:
    """Read an answer to GET /models."""
    if status != httpx2.codes.OK:
        return ApiSight(url, is_named, status, said=problem(status, body))
    try:
        shapes = {str(document["name"]): shape_of_document(document) for document in body["models"]}
    except (KeyError, TypeError):
        return ApiSight(url, is_named, status, said="the answer is no list of models")
    return ApiSight(url, is_named, status, shapes)


def _get_models(url: str, key: str) -> httpx2.Response:
    is_near = is_loopback(urlsplit(url).hostname or "")  # a proxy does not reach this machine's loopback
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx2.Client(timeout=API_SECONDS, trust_env=not is_near, headers=headers) as http:
        return http.get(f"{url.rstrip('/')}/models")


def _sentinel(address: Address, host: str, port: int) -> SentinelSight:
    place, primary = f"{host}:{port}", ""
    client = sentinel_client(address, host, port, SENTINEL_SECONDS)
    try:  # (redis-py types its commands in part)
        found = client.execute_command(PLACE, address.primary)  # type: ignore[no-untyped-call]
        if found is None:
            return SentinelSight(place, trouble=f"knows no {address.primary}")
        primary = ":".join(part.decode() if isinstance(part, bytes) else str(part) for part in found)
        client.execute_command("SENTINEL CKQUORUM", address.primary)  # type: ignore[no-untyped-call]
        return SentinelSight(place, primary)
    except (RedisError, OSError) as error:
        return SentinelSight(place, primary, is_without_quorum="NOQUORUM" in str(error), trouble=_said(error))
    finally:
        client.close()


def _server(ledger: Ledger) -> ServerSight:
    client = ledger.client
    client.ping()  # connects, so that what the next one takes is what an answer takes
    began, here = time.monotonic(), time.time()
    seconds, microseconds = client.time()
    took = time.monotonic() - began
    ahead = seconds + microseconds / 1e6 - (here + took / 2)
    return ServerSight(_info(ledger), _config(ledger), 1000 * ahead, 1000 * took / 2)


def _info(ledger: Ledger) -> Mapping[str, Any] | None:
    try:
        return dict(ledger.client.info())
    except ResponseError:  # forbidden, or a hosted server that has no such command
        return None


def _config(ledger: Ledger) -> Mapping[str, str] | None:
    try:
        found = ledger.client.config_get(*CONFIG)
    except ResponseError:
        return None
    return {str(name): str(value) for name, value in found.items()}


def _said(error: Exception) -> str:
    if isinstance(error, NoPermissionError):
        return f"this user may not do what the doctor does: {error}"
    return str(error) or type(error).__name__
