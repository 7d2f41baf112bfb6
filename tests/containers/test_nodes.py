"""pytest-celery's own setup, with containers for nodes: a Redis, and the worker image as it is shipped."""

from collections.abc import Iterator

import httpx2
import pytest
from pytest_celery import (
    CeleryBrokerCluster,
    CeleryTestSetup,
    CeleryTestWorker,
    CeleryWorkerCluster,
    CeleryWorkerContainer,
    RedisTestBroker,
)
from pytest_docker_tools import container, fxtr

from tests.containers.images import Images
from tests.integration.client import Client
from tests.integration.conftest import free_port, is_alive
from tests.integration.nodes import ApiProcess
from tests.waiting import eventually

LEASE_SECONDS = "2"


class PenstockWorker(CeleryWorkerContainer):  # type: ignore[misc]
    """A container of the worker image: its own command, and no volume with an app of pytest-celery's."""

    @property
    def ready_prompt(self) -> str:
        return "worker ready"


@pytest.fixture
def default_redis_broker_image(images: Images) -> str:
    return images.redis


@pytest.fixture
def celery_broker_cluster(celery_redis_broker: RedisTestBroker) -> CeleryBrokerCluster:
    return CeleryBrokerCluster(celery_redis_broker)


@pytest.fixture
def celery_backend_cluster() -> None:
    """Penstock keeps results in its ledger; Celery has no result backend."""


@pytest.fixture
def worker_image(images: Images) -> str:
    return images.worker


@pytest.fixture
def worker_environment(celery_broker_cluster: CeleryBrokerCluster) -> dict[str, str]:
    return {
        "PENSTOCK_REDIS_URL": celery_broker_cluster[0].config()["url"],
        "PENSTOCK_LEASE_SECONDS": LEASE_SECONDS,
        "PENSTOCK_CONCURRENCY": "1",
    }


worker_container = container(
    image="{worker_image}",
    environment=fxtr("worker_environment"),
    network="{default_pytest_celery_network.name}",
    wrapper_class=PenstockWorker,
    timeout=90,
    init=True,
    read_only=True,
    tmpfs={"/tmp": ""},
)


@pytest.fixture
def celery_worker_cluster(worker_container: PenstockWorker, celery_setup_app: object) -> CeleryWorkerCluster:
    return CeleryWorkerCluster(CeleryTestWorker(worker_container, celery_setup_app))


@pytest.fixture
def client(celery_setup: CeleryTestSetup) -> Iterator[Client]:
    """A client of an API that runs here, on the container's Redis."""
    host, port = celery_setup.broker.container.get_addr("6379/tcp")
    api = ApiProcess(free_port(), {"PENSTOCK_REDIS_URL": f"redis://{host}:{port}/0"})
    with httpx2.Client(base_url=api.url, timeout=10) as http:
        eventually(lambda: is_alive(http, api), within=20)
        yield Client(http)
    api.close()


def test_a_node_that_is_killed_and_started_again_has_its_task_run_again(
    celery_setup: CeleryTestSetup, client: Client
) -> None:
    assert celery_setup.ready(docker=True)
    task = client.submit("wait", wait_time=5)["task_id"]
    client.until(task, "running")

    celery_setup.worker.kill()
    celery_setup.worker.restart()
    document = client.finished(task, within=60)

    assert (document["status"], document["attempt"]) == ("succeeded", 2)
    celery_setup.worker.assert_log_exists(task)
