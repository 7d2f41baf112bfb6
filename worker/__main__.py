"""Start one worker: `python -m worker [--models NAME,NAME] [--concurrency N]`."""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

import structlog
from celery.exceptions import SecurityWarning

from shared.environment import SettingsError, load_settings
from shared.log import configure_logging
from shared.model import ModelError, by_name, read_schemas
from shared.start import StartError, require_usable
from shared.trace import TraceError, Tracing, asked_for
from worker.app import Worker
from worker.consumer import EXIT_FAILED, EXIT_MODEL_FAILED
from worker.heartbeat import not_writable
from worker.telemetry import silence
from worker.threads import cap_threads

EXIT_USAGE = 2
log = structlog.get_logger()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a worker until it is stopped; return its exit code."""
    options = _parse(arguments)
    try:
        return _run(options)
    except KeyboardInterrupt:
        return 0


def _run(options: argparse.Namespace) -> int:
    try:
        settings = load_settings(
            concurrency=options.concurrency, drain_seconds=options.drain, log_level=options.log_level
        )
        cap_threads(os.environ, settings.concurrency)
        silence(os.environ)
        schemas = read_schemas(settings.models)
        if options.models:
            schemas = by_name(schemas, [name.strip() for name in options.models.split(",")])
    except (SettingsError, ModelError) as error:
        return _complain(str(error), EXIT_USAGE)
    if not settings.redis_url:
        return _complain("PENSTOCK_REDIS_URL is empty: a worker needs the ledger's URL", EXIT_USAGE)
    if complaint := not_writable(settings.heartbeat_file):
        return _complain(f"PENSTOCK_HEARTBEAT_FILE: {complaint}", EXIT_USAGE)
    configure_logging(settings.log_level, process="worker")
    # Celery warns of running as root because of pickle; we accept JSON only.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    try:
        require_usable(settings.redis_url)
        return Worker(settings, schemas, _tracing()).run()
    except StartError as error:
        return _complain(str(error), EXIT_FAILED)
    except ModelError as error:
        return _complain(str(error), EXIT_MODEL_FAILED)


def _tracing() -> Tracing | None:
    try:
        return asked_for(os.environ, "penstock-worker")
    except TraceError as error:  # the platform may have set it for everyone: no reason not to work
        log.warning("no traces", reason=str(error))
        return None


def _complain(message: str, code: int) -> int:
    for line in message.splitlines():
        print(f"penstock worker: {line}", file=sys.stderr)
    return code


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="penstock worker", description="Load models, claim tasks, run them.")
    parser.add_argument("--models", help="serve only these, comma-separated names out of PENSTOCK_MODELS")
    parser.add_argument("--concurrency", type=int, help="children (PENSTOCK_CONCURRENCY)")
    parser.add_argument(
        "--drain",
        type=float,
        metavar="SECONDS",
        help="how long running tasks go on after a stop (PENSTOCK_DRAIN_SECONDS)",
    )
    parser.add_argument("--log-level", help="debug, info, warning or error (PENSTOCK_LOG_LEVEL)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
