"""Keys that come from a file: deploy/compose/keys.yml."""

import pytest

from shared.keys import KeyLine, digest, new_key
from tests.containers.compose import ROOT, Compose
from tests.containers.conftest import Install, client_of
from tests.containers.engine import inspect


@pytest.fixture(scope="module")
def key() -> str:
    return new_key()


@pytest.fixture(scope="module")
def installation(install: Install, key: str, tmp_path_factory: pytest.TempPathFactory) -> Compose:
    lines = tmp_path_factory.mktemp("secrets") / "penstock_api_keys"
    lines.write_text(f"# ann's\n{KeyLine('ann', digest(key))}\n")
    lines.chmod(0o444)
    override = ROOT / "deploy" / "compose" / "keys.yml"
    compose = install(override, PENSTOCK_CONCURRENCY="1", PENSTOCK_API_KEYS_FILE=str(lines))
    compose.up()
    return compose


def test_who_has_no_key_stays_out(installation: Compose, key: str) -> None:
    with_key, without = client_of(installation, key=key), client_of(installation)

    task = with_key.submit("wait", wait_time=1)["task_id"]

    assert without.http.post("/task/wait", json={"wait_time": 1}).status_code == 401
    assert without.http.get(f"/task/{task}").status_code == 401
    assert with_key.finished(task)["status"] == "succeeded"


def test_what_the_file_says_shows_nowhere_else(installation: Compose, key: str) -> None:
    container = inspect(installation.only("api"))

    assert digest(key) not in str(container)
    assert digest(key) not in installation.logs()
    mounted = {mount["Destination"]: mount["RW"] for mount in container["Mounts"]}
    assert mounted["/run/secrets/penstock_api_keys"] is False
