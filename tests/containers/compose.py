"""One installation from docker-compose.yml: a project of its own, with its own port, and all of it taken down again."""

import json
import time
import uuid
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.containers.engine import compose_command, docker, inspect, run
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
UP_SECONDS = 180.0
HEALTHY_SECONDS = 90.0


@dataclass(slots=True)
class Compose:
    """A project of Compose. `variables` are what the compose file takes from its environment."""

    variables: dict[str, str]
    overrides: tuple[Path, ...] = ()
    project: str = field(default_factory=lambda: f"penstock-test-{uuid.uuid4().hex[:8]}")
    clients: ExitStack = field(default_factory=ExitStack)  # closed with the installation

    def run(self, *arguments: str, within: float = UP_SECONDS) -> str:
        files = [part for file in (FILE, *self.overrides) for part in ("-f", str(file))]
        command = (*compose_command(), "-p", self.project, *files, *arguments)
        return run(*command, within=within, **self.variables)

    def up(self, *services: str, **scale: int) -> None:
        """Start, or bring to this many containers of a service: `up(worker=3)`."""
        scaled = [f"--scale={service}={count}" for service, count in scale.items()]
        self.run("up", "-d", "--no-build", *scaled, *services)

    def down(self) -> None:
        self.clients.close()
        self.run("down", "--volumes", "--remove-orphans", "--timeout", "1")

    def containers(self, service: str) -> list[str]:
        """Return the ids of a service's containers, those that have ended included."""
        return docker("ps", "-aq", "--no-trunc", *self._of(service)).split()

    def running(self, service: str) -> list[str]:
        return docker("ps", "-q", "--no-trunc", *self._of(service)).split()

    def only(self, service: str) -> str:
        """Return the id of the one container that a service has."""
        (container,) = self.running(service)
        return container

    def urls(self) -> list[str]:
        """Return where the API is reached from here, one URL for each of its containers."""
        return [url for container in self.running("api") if (url := url_of(container))]

    def redis(self, *command: str) -> str:
        """Ask the ledger's server, past Penstock."""
        return docker("exec", self.only("redis"), "redis-cli", "--raw", *command)

    def holder_of(self, task_id: str) -> str:
        """Return the id of the container whose worker holds the claim of a running task."""
        name = self.redis("HGET", f"penstock:task:{task_id}", "worker")
        return next(each for each in self.containers("worker") if name.startswith(each[:12]))

    def finisher_of(self, task_id: str) -> str:
        """Return the id of the container whose worker has finished a task."""
        said = f'"task_id":"{task_id}"'

        def has_finished_it(container: str) -> bool:
            lines = docker_logs(container).splitlines()
            return any(said in line and '"event":"finished"' in line for line in lines)

        (container,) = filter(has_finished_it, self.containers("worker"))
        return container

    def logs(self) -> str:
        return self.run("logs", "--no-color", "--tail=100")

    def _of(self, service: str) -> Iterable[str]:
        labels = {"com.docker.compose.project": self.project, "com.docker.compose.service": service}
        return [part for name, value in labels.items() for part in ("--filter", f"label={name}={value}")]


def docker_logs(container: str) -> str:
    """Return what a container has said, on either stream."""
    return run("sh", "-c", 'docker logs "$1" 2>&1', "sh", container)


def url_of(container: str) -> str | None:
    """Return the URL of an API's container; None while it has no port."""
    bound = inspect(container)["NetworkSettings"]["Ports"].get("8000/tcp")
    return f"http://{bound[0]['HostIp']}:{bound[0]['HostPort']}" if bound else None


def health(container: str) -> str:
    """Return what the container's own health check says: starting, healthy or unhealthy."""
    status: str = inspect(container)["State"]["Health"]["Status"]
    return status


def until_healthy(container: str) -> None:
    def look() -> bool:
        state = inspect(container)["State"]
        assert state["Running"], f"ended with {state['ExitCode']}:\n{docker_logs(container)}"
        return bool(state["Health"]["Status"] == "healthy")

    eventually(look, within=HEALTHY_SECONDS, every=0.5)


def write_override(folder: Path, services: dict[str, object]) -> Path:
    """Write a compose file with these services, and return its path. JSON is YAML."""
    path = folder / f"override-{time.monotonic_ns()}.yml"
    path.write_text(json.dumps({"services": services}))
    return path
