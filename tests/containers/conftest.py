"""Real containers: images built from this checkout, and installations of docker-compose.yml."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.containers import images as image_builds
from tests.containers.compose import Compose
from tests.containers.engine import REQUIRED, CommandError, missing
from tests.containers.images import Images
from tests.integration.client import Client
from tests.waiting import eventually

Install = Callable[..., Compose]
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without an engine there is nothing to run, and one line says so, rather than one for every test."""
    reason = missing()
    if reason and all(HERE in item.path.parents for item in items):
        pytest.exit(reason, returncode=int(bool(os.environ.get(REQUIRED))))


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """The same among other tests: a missing engine skips these, and fails where one must be there."""
    reason = missing()
    if reason and os.environ.get(REQUIRED):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def images(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Images:
    return image_builds.build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def install(images: Images, request: pytest.FixtureRequest) -> Iterator[Install]:
    """Make an installation: `install(override, PENSTOCK_CONCURRENCY="1")`. It ends with the file's tests."""
    made: list[Compose] = []

    def make(*overrides: Path, **variables: str) -> Compose:
        ports = adjacent_ports()
        made.append(Compose({**images.variables(), "PENSTOCK_PORT": ports, **variables}, overrides))
        return made[-1]

    failed_before = request.session.testsfailed
    yield make
    for compose in made:
        if request.session.testsfailed > failed_before:
            print(compose.logs())
        compose.down()


def client_of(compose: Compose, *, model: str = "wait", workers: int = 1, key: str = "") -> Client:
    """Return a client of an installation, once its API is there and so many workers have loaded a model."""
    url = eventually(compose.urls, within=20)[0]
    http = httpx2.Client(base_url=url, timeout=20, headers={"X-API-Key": key} if key else None)
    client = Client(compose.clients.enter_context(http))
    eventually(lambda: workers_of(client, model) == workers, within=120, every=0.2)
    return client


def workers_of(client: Client, model: str) -> int:
    """Return how many live workers have loaded a model, as the API has it."""
    try:
        answer = client.http.get("/readyz")
    except httpx2.TransportError:
        return 0
    return int(answer.json()["models"][model]["workers"]) if answer.is_success else 0


def adjacent_ports() -> str:
    """Return a range of two ports that are free: room for a second API."""
    for first in range(20_000, 32_000, 2):
        if is_free(first) and is_free(first + 1):
            return f"{first}-{first + 1}"
    raise CommandError("no two adjacent ports are free")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
