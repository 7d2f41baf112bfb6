"""The commands that run an installation, look whether it is well, and make the keys that it asks for."""

import os
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from cli.address import local_url
from cli.doctor.examination import examine
from cli.doctor.finding import as_json, as_text, is_well
from cli.doctor.look import UrlError, running_server
from cli.up import up as run_up
from cli.voice import complain, say
from shared.environment import SettingsError, load_settings
from shared.keys import NAME, KeyLine, callback_secret, digest, new_key
from shared.settings import Settings
from shared.supervision.parts import environment, module_command, options
from shared.supervision.restart import EX_USAGE

keys = typer.Typer(help="Make the keys that an installation asks for.", no_args_is_help=True)

Host = Annotated[str | None, typer.Option(help="Address to serve; PENSTOCK_API_HOST.")]
Port = Annotated[int | None, typer.Option(help="Port to serve, 0 for any that is free; PENSTOCK_API_PORT.")]
Processes = Annotated[
    int | None, typer.Option(min=1, help="How many processes serve on that address; PENSTOCK_API_PROCESSES.")
]
Concurrency = Annotated[int | None, typer.Option(help="Children of the worker; PENSTOCK_CONCURRENCY.")]
LogLevel = Annotated[
    str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error; PENSTOCK_LOG_LEVEL.")
]


def up(
    host: Host = None,
    port: Port = None,
    concurrency: Concurrency = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where the embedded server keeps its data; PENSTOCK_DATA_DIR.")
    ] = None,
    log_level: LogLevel = None,
) -> None:
    """Run everything: the API, a worker and, unless PENSTOCK_REDIS_URL names a ledger, an embedded server.

    What dies is started again. Ctrl-C stops everything in order and lets
    running tasks finish for PENSTOCK_DRAIN_SECONDS; a second Ctrl-C kills it all.
    """
    settings = _settings(api_host=host, api_port=port, concurrency=concurrency, data_dir=data_dir, log_level=log_level)
    raise typer.Exit(run_up(settings))


def api(
    host: Host = None,
    port: Port = None,
    processes: Processes = None,
    openapi: Annotated[
        bool, typer.Option("--openapi", help="Print the OpenAPI document of what would be served, and end.")
    ] = False,
    log_level: LogLevel = None,
) -> None:
    """Run the API only, against the ledger that PENSTOCK_REDIS_URL names."""
    settings = _settings(api_host=host, api_port=port, api_processes=processes, log_level=log_level)
    if openapi:
        _become("api", ["--openapi"])
    _require_ledger(settings)
    _become("api", options(host=host, port=port, processes=processes, log_level=log_level))


def worker(
    models: Annotated[
        str | None, typer.Option(metavar="NAME,NAME", help="Serve only these of PENSTOCK_MODELS.")
    ] = None,
    concurrency: Concurrency = None,
    drain: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="How long running tasks may go on after it was told to stop; PENSTOCK_DRAIN_SECONDS.",
        ),
    ] = None,
    log_level: LogLevel = None,
) -> None:
    """Run a worker only, against the ledger that PENSTOCK_REDIS_URL names. Run more of them to go faster."""
    _require_ledger(_settings(concurrency=concurrency, drain_seconds=drain, log_level=log_level))
    _become("worker", options(models=models, concurrency=concurrency, drain=drain, log_level=log_level))


def doctor(
    url: Annotated[
        str | None,
        typer.Option(envvar="PENSTOCK_URL", help="Where the API is, if not here; a key comes from PENSTOCK_API_KEY."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON, on one line.")] = False,
) -> None:
    """Look whether a running installation is well: a line for each check, and what to do about it.

    Exits with 0 if nothing failed, 1 if something did.
    """
    settings = _settings()
    api_url, key = url or local_url(settings.api_host, settings.api_port), os.environ.get("PENSTOCK_API_KEY", "")
    ledger_url = settings.redis_url or running_server(settings.data_dir)
    if not ledger_url:
        _require_ledger(settings)
    try:
        findings = examine(ledger_url, api_url, key, api_is_named=url is not None, replicas=settings.replicas_ack)
    except UrlError as error:
        complain(str(error))
        raise typer.Exit(EX_USAGE) from error
    say(as_json(findings) if json else as_text(findings))
    raise typer.Exit(0 if is_well(findings) else 1)


@keys.command()
def new(name: Annotated[str, typer.Argument(help="Whose key it is: its tasks are theirs.")]) -> None:
    """Print a new key, once, and the line by which PENSTOCK_API_KEYS knows it."""
    if not NAME.fullmatch(name):
        complain(f"{name!r} is no name: 1 to 64 letters, digits, dots, dashes and underscores")
        raise typer.Exit(EX_USAGE)
    key = new_key()
    say(key)
    say(str(KeyLine(name, digest(key))))


@keys.command()
def secret(name: Annotated[str, typer.Argument(help="Whose; nobody's, without keys.")] = "") -> None:
    """Print the secret by which a client knows the callbacks of its tasks, made from PENSTOCK_CALLBACK_SECRET."""
    master = _settings().callback_secret
    if not master:
        complain("PENSTOCK_CALLBACK_SECRET: is empty, so nothing is signed")
        raise typer.Exit(EX_USAGE)
    say(callback_secret(master, name))


def _settings(**given: Any) -> Settings:
    try:
        return load_settings(**given)
    except SettingsError as error:
        complain(str(error))
        raise typer.Exit(EX_USAGE) from error


def _require_ledger(settings: Settings) -> None:
    if not settings.redis_url:
        complain("PENSTOCK_REDIS_URL: must name the ledger (`penstock up` brings one of its own)")
        raise typer.Exit(EX_USAGE)


def _become(module: str, arguments: list[str]) -> NoReturn:
    """Replace this process by one of the parts, so that signals and exit codes are its own."""
    command = module_command(module, arguments)
    os.execve(command[0], command, environment(os.environ, {}))  # noqa: S606  (no shell is the point)
