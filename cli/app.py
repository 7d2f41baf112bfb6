"""The commands of `penstock`, put together: what they are called, and where each stands in the help."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from cli.asking import cancel, forget, get, list_tasks, retry, submit, wait_for
from cli.running import api, doctor, keys, up, worker
from cli.voice import say

RUN, ASK = "Run an installation", "Use one"
RUNNING: tuple[Callable[..., None], ...] = (up, api, worker, doctor)
ASKING: tuple[Callable[..., None], ...] = (submit, get, cancel, retry, forget)

app = typer.Typer(
    help="Puts a Python model behind a durable queue. Settings are environment variables named PENSTOCK_*.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would print local variables, passwords among them
)
app.add_typer(keys, name="keys", rich_help_panel=RUN)
for command in RUNNING:
    app.command(rich_help_panel=RUN)(command)
for command in ASKING:
    app.command(rich_help_panel=ASK)(command)
app.command(name="list", rich_help_panel=ASK)(list_tasks)
app.command(name="wait", rich_help_panel=ASK)(wait_for)


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
