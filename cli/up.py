"""`penstock up`: a whole installation in one command, in the foreground, and nothing left behind."""

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2

from cli import banner, embedded, readiness
from cli.address import AddressError, free_port, local_url
from cli.lock import DataDirInUse, DataDirLock
from cli.voice import complain, say
from shared.model import ModelError, ModelSchema, read_schemas
from shared.settings import Settings
from shared.start import StartError, require_usable
from shared.supervision.parts import PARTS, Parts, environment
from shared.supervision.program import Program
from shared.supervision.restart import EX_USAGE
from shared.supervision.signals import Signals
from shared.supervision.supervisor import KILLED_BY_USER, Stop, Supervisor

API_STOP_SECONDS = 10.0
AFTER_DRAIN_SECONDS = 10.0  # what a worker may take beyond its drain before it is killed


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run, decided and checked before anything is started."""

    settings: Settings
    schemas: dict[str, ModelSchema]
    port: int
    parts: Parts
    began: float

    @property
    def url(self) -> str:
        """The API's URL as seen from this machine."""
        return local_url(self.settings.api_host, self.port)


def up(settings: Settings, parts: Parts = PARTS) -> int:
    """Run an installation until a signal ends it; return the exit code. Complaints go to stderr, a line each."""
    began = time.monotonic()
    try:
        schemas = read_schemas(settings.models)
        port = free_port(settings.api_host, settings.api_port)
        if settings.redis_url:
            require_usable(settings.redis_url)
    except ModelError as error:
        complain(str(error))
        return EX_USAGE
    except (AddressError, StartError) as error:
        complain(str(error))
        return 1
    return _supervise(Plan(settings, schemas, port, parts, began))


def _supervise(plan: Plan) -> int:
    """Run the plan; the files it holds are let go only after every process has stopped."""
    code = 0
    with Signals() as signals, ExitStack() as files:
        supervisor = Supervisor(signals, complain)
        try:
            _serve(plan, supervisor, files)
        except Stop as stop:
            code = stop.code
            if code == 0:
                complain("stopping; Ctrl-C kills everything at once")
        except (embedded.EmbeddedError, DataDirInUse) as error:
            complain(str(error))
            code = 1
        finally:
            patient = supervisor.stop_all()
    return code if patient else KILLED_BY_USER


def _serve(plan: Plan, supervisor: Supervisor, files: ExitStack) -> None:
    """Start everything in order, tell when it is ready, then keep it running.

    Raises:
        Stop, EmbeddedError, DataDirInUse: there is no going on.
    """
    settings = plan.settings
    data_dir = None if settings.redis_url else embedded.make_data_dir(settings.data_dir)
    ledger = _start_server(data_dir, supervisor, files) if data_dir else settings.redis_url
    say(
        banner.started(
            url=plan.url, ledger=ledger, data_dir=data_dir, models=plan.schemas, children=settings.concurrency
        )
    )
    for program in programs(plan, ledger):
        supervisor.start(program)
    with httpx2.Client(base_url=plan.url, trust_env=False) as client:  # a proxy has no business on loopback
        supervisor.run_until(lambda: readiness.probe(client))
    supervisor.ever_ready = True
    default = next(iter(plan.schemas.values()))
    say(banner.ready(seconds=time.monotonic() - plan.began, url=plan.url, schema=default))
    supervisor.run_until(None)


def programs(plan: Plan, ledger: str) -> list[Program]:
    """Describe the worker and the API, in the order in which they start."""
    settings = plan.settings
    handed_over = environment(
        os.environ,
        {
            "redis_url": ledger,
            "api_host": settings.api_host,
            "api_port": plan.port,
            "concurrency": settings.concurrency,
            "log_level": settings.log_level,
        },
    )
    patience = settings.drain_seconds + AFTER_DRAIN_SECONDS
    return [
        Program("worker", plan.parts.worker, handed_over, patience),
        Program("api", plan.parts.api, handed_over, API_STOP_SECONDS),
    ]


def _start_server(data_dir: Path, supervisor: Supervisor, files: ExitStack) -> str:
    """Start the embedded server and return its URL once it answers."""
    executable = embedded.find_server()
    lock = files.enter_context(DataDirLock(data_dir))
    supervisor.run_until(lock.take)
    socket = files.enter_context(embedded.socket_path(data_dir))
    url = embedded.socket_url(socket)
    supervisor.start(
        embedded.server_program(
            executable, data_dir=data_dir, socket=socket, environment=os.environ, lock=lock.descriptor
        )
    )
    supervisor.run_until(lambda: embedded.ping(url))
    return url
