"""The commands that use an installation, through its API: submit a task, and whatever is done with one."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from cli.client import Client, ClientError, Document
from cli.document import InputError, read_input, render
from cli.progress import progress_bar
from cli.voice import complain, say
from cli.waiting import exit_code, wait
from shared.supervision.restart import EX_USAGE
from shared.supervision.supervisor import KILLED_BY_USER

Url = Annotated[str, typer.Option(envvar="PENSTOCK_URL", help="Where the API is; a key comes from PENSTOCK_API_KEY.")]
Timeout = Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="Give up waiting after this long.")]
TaskId = Annotated[str, typer.Argument(metavar="ID", help="The task_id of a task document.")]
LOCAL = "http://127.0.0.1:8000"


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


def get(task_id: TaskId, url: Url = LOCAL) -> None:
    """Print the document of a task."""
    with _client(url) as client:
        _print(client.get(task_id).document)


def cancel(task_id: TaskId, url: Url = LOCAL) -> None:
    """Stop a task, queued or running, and print its document."""
    with _client(url) as client:
        _print(client.cancel(task_id).document)


def retry(task_id: TaskId, url: Url = LOCAL) -> None:
    """Have a failed or canceled task run again, and print its document."""
    with _client(url) as client:
        _print(client.retry(task_id).document)


def forget(task_id: TaskId, url: Url = LOCAL) -> None:
    """Cancel a task if need be, and have it forgotten."""
    with _client(url) as client:
        client.forget(task_id)


def list_tasks(
    status: Annotated[str, typer.Option(help="Only tasks in one of these: queued,running,...")] = "",
    model: Annotated[str, typer.Option(help="Only tasks of this model.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    url: Url = LOCAL,
) -> None:
    """Print your tasks, the newest first."""
    with _client(url) as client:
        _print(client.list_tasks(status=status, model=model, limit=limit))


def wait_for(task_id: TaskId, timeout: Timeout = None, url: Url = LOCAL) -> None:
    """Wait until a task is finished and print its document.

    Exits with 0 if it succeeded, 1 if it failed or was canceled, 3 when the time ran out.
    """
    with _client(url) as client:
        _wait(client, task_id, timeout)


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
