"""Entry point: `python -m api` serves the HTTP side of one installation."""

import argparse
import asyncio
import gc
import json
import logging
import os
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from api.app import contract, create_app
from api.listener import ListenError, allow_many_connections, bind, listen, make_server, stop_with_success, url
from api.processes import keep_serving
from shared.environment import SettingsError, load_settings, unknown_variables
from shared.ledger.connect import connect_async
from shared.ledger.connection import AsyncLedger
from shared.log import configure_logging
from shared.model import ModelError, ModelSchema, read_schemas
from shared.settings import Settings
from shared.start import StartError, require_usable
from shared.trace import TraceError, asked_for, close

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

log = logging.getLogger("api")

WRONG_CONFIGURATION = 2
CANNOT_START = 1
LAST_SPANS_SECONDS = 2.0
COLLECT_AFTER = 50_000  # objects; Python's own 700 is made for programs that hold little


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop, or print the contract.

    Return the exit code: 0, 1 (cannot start now) or 2 (wrongly configured).
    """
    options = _parse(arguments)
    try:
        settings = load_settings(
            api_host=options.host,
            api_port=options.port,
            api_processes=options.processes,
            log_level=options.log_level,
        )
        schemas = read_schemas(settings.models)
        if options.openapi:
            print(json.dumps(contract(settings, schemas), indent=2, ensure_ascii=False))
            return 0
        ledger = _connect(settings)
    except (SettingsError, ModelError) as error:
        return _complain(str(error), WRONG_CONFIGURATION)
    stop_with_success()
    allow_many_connections()
    configure_logging(settings.log_level, process="api")
    if options.bound is None:
        for name in unknown_variables(dict(os.environ)):
            log.warning("%s is no setting of Penstock", name)
    try:
        require_usable(settings.redis_url)
        if options.bound is None and settings.api_processes > 1:
            with bind(settings.api_host, settings.api_port) as bound:
                return keep_serving(settings.api_processes, bound, sys.argv[1:] if arguments is None else arguments)
        _run(settings, schemas, ledger, options.bound)
    except (StartError, ListenError) as error:
        return _complain(str(error), CANNOT_START)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="penstock api", description="Serve the HTTP API.")
    parser.add_argument("--host", help="address to listen on (PENSTOCK_API_HOST)")
    parser.add_argument("--port", type=int, help="port to listen on (PENSTOCK_API_PORT)")
    parser.add_argument("--processes", type=int, help="how many processes serve on it (PENSTOCK_API_PROCESSES)")
    parser.add_argument("--log-level", help="debug, info, warning or error (PENSTOCK_LOG_LEVEL)")
    parser.add_argument("--bound", type=int, help=argparse.SUPPRESS)  # the socket of one of them: see api.processes
    parser.add_argument(
        "--openapi", action="store_true", help="print the OpenAPI document of what would be served, and end; no Redis"
    )
    return parser.parse_args(arguments)


def _connect(settings: Settings) -> AsyncLedger:
    if not settings.redis_url:
        raise SettingsError("PENSTOCK_REDIS_URL is empty: name a Redis or Valkey, or run `penstock up`, which has one")
    return connect_async(settings.redis_url, name="penstock-api", replicas=settings.replicas_ack)


def _run(settings: Settings, schemas: dict[str, ModelSchema], ledger: AsyncLedger, bound: int | None) -> None:
    provider = _provider()
    app = create_app(settings, schemas, ledger, provider)
    server = make_server(app.serve, app.leave, settings.request_seconds)
    if bound is None:
        listener = listen(settings.api_host, settings.api_port)
        log.info("listening on %s", url(listener))
    else:
        listener = socket.socket(fileno=bound)  # the server listens when it can serve
    _collect_seldom()
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[listener]))
    if provider is not None:
        close(provider, LAST_SPANS_SECONDS)


def _provider() -> "TracerProvider | None":
    try:
        tracing = asked_for(os.environ, "penstock-api")
    except TraceError as error:  # the platform may have set it for everyone: no reason not to serve
        log.warning("no traces: %s", error)
        return None
    return tracing.make_provider() if tracing else None


def _collect_seldom() -> None:
    """Have the garbage collector look at less, and less often.

    A full collection with 2,000 clients waiting holds everyone up for 0.1 to 0.2 s, and they came with every burst.
    What was imported is never garbage; what a request leaves behind goes by itself, save for a few cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])


def _complain(message: str, code: int) -> int:
    for line in message.splitlines():
        print(f"penstock api: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
