"""The container engine, through its command line: whichever is there, Docker's or one that answers to its name."""

import json
import os
import shutil
import subprocess
from functools import cache
from typing import Any

REQUIRED = "REQUIRE_ENGINE"  # set where a missing engine is a failure
QUICK = 60.0  # seconds that a command may take that neither builds nor starts anything large


class CommandError(AssertionError):
    """A command that should have worked has not. What it said is in the message."""


def run(*command: str, within: float = QUICK, text: str | None = None, **variables: str) -> str:
    """Run a command with these environment variables besides, `text` on its stdin, and return its stdout."""
    done = subprocess.run(
        command,
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    if done.returncode != 0:
        raise CommandError(f"{' '.join(command)}\nended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout.strip()


def docker(*arguments: str, within: float = QUICK, text: str | None = None) -> str:
    return run("docker", *arguments, within=within, text=text)


def inspect(name: str) -> dict[str, Any]:
    """Return all that the engine knows of a container or an image."""
    found: dict[str, Any] = json.loads(docker("inspect", name))[0]
    return found


@cache
def compose_command() -> tuple[str, ...]:
    """Return how Compose is called here: v2, else 1.29; nothing, if there is neither."""
    try:
        docker("compose", "version")
    except (CommandError, OSError):
        return ("docker-compose",) if shutil.which("docker-compose") else ()
    return ("docker", "compose")


@cache
def missing() -> str:
    """Return, in one line, what is not there that these tests need; empty if it all is."""
    try:
        docker("version", "--format", "{{.Server.Version}}", within=10)
    except OSError:
        return "no container engine: there is no program named docker"
    except (CommandError, subprocess.TimeoutExpired):
        return "no container engine: docker has no daemon that answers"
    return "" if compose_command() else "no Compose: neither docker compose nor docker-compose"
