"""docker-compose.yml as Compose reads it: what holds for every service, and what it is given from the repository."""

from typing import Any

import pytest
import yaml

from tests.containers.compose import FILE, ROOT, Compose
from tests.containers.images import Images

EVERY_SERVICE = {"redis", "api", "worker", "prometheus", "grafana"}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """The services as they are written, anchors resolved."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
    return found


def test_compose_reads_it_with_and_without_what_comes_beside_it(images: Images) -> None:
    for overrides in ((), (ROOT / "deploy" / "compose" / "keys.yml",)):
        compose = Compose({}, overrides)
        assert set(compose.run("config", "--services").split()) >= {"redis", "api", "worker"}
        assert set(compose.run("--profile", "monitoring", "config", "--services").split()) == EVERY_SERVICE


def test_every_service_is_hardened_and_can_be_scaled(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == EVERY_SERVICE
    for name, service in services.items():
        assert "container_name" not in service, name
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["mem_limit"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name


def test_all_that_is_mounted_is_there(services: dict[str, dict[str, Any]]) -> None:
    """The engine makes an empty folder of what is not, and the service sees that."""
    mounted = [volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", ())]
    files = [path for path in mounted if path.startswith("./")]

    assert files
    assert [path for path in files if not (ROOT / path).exists()] == []


def test_redis_has_a_network_that_monitoring_is_not_in(services: dict[str, dict[str, Any]]) -> None:
    assert services["redis"]["networks"] == ["ledger"]
    assert all("ledger" not in services[name].get("networks", ()) for name in ("prometheus", "grafana"))
