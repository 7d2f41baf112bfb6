"""The commands of `penstock`: what they take, and which part of the package does it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from cli.address import local_url
from cli.client import Client, ClientError, Document
from cli.doctor.examination import examine
from cli.doctor.finding import as_json, as_text, is_well
from cli.doctor.look import UrlError, running_server
from cli.document import InputError, read_input, render
from cli.progress import progress_bar
from cli.up import up as run_up
from cli.voice import complain, say
from cli.waiting import exit_code, wait
from shared.keys import NAME, KeyLine, callback_secret, digest, new_key
from shared.settings import Settings, SettingsError, load_settings
from shared.supervision.parts import environment, module_command, options
from shared.supervision.restart import EX_USAGE
from shared.supervision.supervisor import KILLED_BY_USER

app = typer.Typer(
    help="Puts a Python model behind a durable queue. Settings are environment variables named PENSTOCK_*.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would print local variables, passwords among them
)
RUN, ASK = "Run an installation", "Use one"
keys = typer.Typer(help="Make the keys that an installation asks for.", no_args_is_help=True)
app.add_typer(keys, name="keys", rich_help_panel=RUN)

Host = Annotated[str | None, typer.Option(help="Address to serve; PENSTOCK_API_HOST.")]
Port = Annotated[int | None, typer.Option(help="Port to serve, 0 for any that is free; PENSTOCK_API_PORT.")]
Processes = Annotated[
    int | None, typer.Option(min=1, help="How many processes serve on that address; PENSTOCK_API_PROCESSES.")
]
Concurrency = Annotated[int | None, typer.Option(help="Children of the worker; PENSTOCK_CONCURRENCY.")]
LogLevel = Annotated[
    str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error; PENSTOCK_LOG_LEVEL.")
]
Url = Annotated[str, typer.Option(envvar="PENSTOCK_URL", help="Where the API is; a key comes from PENSTOCK_API_KEY.")]
Timeout = Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="Give up waiting after this long.")]
TaskId = Annotated[str, typer.Argument(metavar="ID", help="The task_id of a task document.")]
LOCAL = "http://127.0.0.1:8000"


def _show_version(wanted: bool) -> None:
    if wanted:
        try:
            say(version("penstock"))
        except PackageNotFoundError:
            say("not installed (run from its source)")
        raise typer.Exit


@app.callback()
def penstock(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options of `penstock` itself."""


@app.command(rich_help_panel=RUN)
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


@app.command(rich_help_panel=RUN)
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


@app.command(rich_help_panel=RUN)
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


@app.command(rich_help_panel=RUN)
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


@app.command(rich_help_panel=ASK)
def submit(
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    input: Annotated[str, typer.Argument(metavar="JSON", help="The model's input; @FILE reads a file, - stdin.")],
    *,
    expires_in: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Fail it unless it is started within this time.")
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Kill it when it has run for so long.")
    ] = None,
    priority: Annotated[
        int | None, typer.Option(min=0, max=3, help="The higher, the sooner; 1 unless said otherwise.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Idempotency-Key: again with the same one makes no second task.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the task is finished.")] = False,
    timeout: Timeout = None,
    url: Url = LOCAL,
) -> None:
    """Submit a task and print its document."""
    with _client(url) as client:
        document = client.submit(
            model, read_input(input), key, expires_in=expires_in, time_limit=time_limit, priority=priority
        ).document
        if wait:
            _wait(client, document["task_id"], timeout, document)
        _print(document)


@app.command(rich_help_panel=ASK)
def get(task_id: TaskId, url: Url = LOCAL) -> None:
    """Print the document of a task."""
    with _client(url) as client:
        _print(client.get(task_id).document)


@app.command(rich_help_panel=ASK)
def cancel(task_id: TaskId, url: Url = LOCAL) -> None:
    """Stop a task, queued or running, and print its document."""
    with _client(url) as client:
        _print(client.cancel(task_id).document)


@app.command(rich_help_panel=ASK)
def retry(task_id: TaskId, url: Url = LOCAL) -> None:
    """Have a failed or canceled task run again, and print its document."""
    with _client(url) as client:
        _print(client.retry(task_id).document)


@app.command(rich_help_panel=ASK)
def forget(task_id: TaskId, url: Url = LOCAL) -> None:
    """Cancel a task if need be, and have it forgotten."""
    with _client(url) as client:
        client.forget(task_id)


@app.command(name="list", rich_help_panel=ASK)
def list_tasks(
    status: Annotated[str, typer.Option(help="Only tasks in one of these: queued,running,...")] = "",
    model: Annotated[str, typer.Option(help="Only tasks of this model.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    url: Url = LOCAL,
) -> None:
    """Print your tasks, the newest first."""
    with _client(url) as client:
        _print(client.list_tasks(status=status, model=model, limit=limit))


@app.command(name="wait", rich_help_panel=ASK)
def wait_for(task_id: TaskId, timeout: Timeout = None, url: Url = LOCAL) -> None:
    """Wait until a task is finished and print its document.

    Exits with 0 if it succeeded, 1 if it failed or was canceled, 3 when the time ran out.
    """
    with _client(url) as client:
        _wait(client, task_id, timeout)


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


@contextmanager
def _client(url: str) -> Iterator[Client]:
    """Yield a client; what it complains about ends the command."""
    try:
        with Client(url, os.environ.get("PENSTOCK_API_KEY", "")) as client:
            yield client
    except InputError as error:
        complain(str(error))
        raise typer.Exit(EX_USAGE) from error
    except ClientError as error:
        complain(str(error))
        raise typer.Exit(1) from error


def _wait(client: Client, task_id: str, timeout: float | None, submitted: Document | None = None) -> NoReturn:
    try:
        with progress_bar(Console(stderr=True)) as show:
            waited = wait(client, task_id, timeout=timeout, show=show)
    except KeyboardInterrupt:
        complain(f"the task goes on: penstock wait {task_id}")
        raise typer.Exit(KILLED_BY_USER) from None
    if waited.timed_out:
        complain(f"not finished after {timeout:g} s; the task goes on: penstock wait {task_id}")
    latest = waited.document or submitted
    if latest:
        _print(latest)
    raise typer.Exit(exit_code(waited))


def _print(document: Document) -> None:
    say(render(document, terminal=sys.stdout.isatty()))
