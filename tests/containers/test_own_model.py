"""A model of one's own in an image: the Dockerfile of docs/containers.md and the README's model, as they stand."""

import re
from pathlib import Path

import pytest

from tests.containers.compose import ROOT, Compose
from tests.containers.conftest import Install, client_of
from tests.containers.engine import docker
from tests.containers.images import BUILD_SECONDS, PREFIX, Images

OWN = f"{PREFIX}-shout"


def block_after(document: str, sentence: str, language: str) -> str:
    """Return the first block of `language` after the sentence that introduces it."""
    text = (ROOT / document).read_text()
    found = re.search(rf"```{language}\n(.*?)```", text[text.index(sentence) :], re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the reader of both documents has saved."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "shout").mkdir()
    for name in ("schema", "model"):
        code = block_after("README.md", f"Save this as `shout/{name}.py`", "python")
        (folder / "shout" / f"{name}.py").write_text(code)
    dockerfile = block_after("docs/containers.md", "Save this as `Dockerfile`", "dockerfile")
    assert "FROM penstock-${PART}\n" in dockerfile
    (folder / "Dockerfile").write_text(dockerfile.replace("FROM penstock-", f"FROM {PREFIX}-"))
    return folder


@pytest.fixture(scope="module")
def installation(install: Install, images: Images, folder: Path) -> Compose:
    """An installation of images that are made from those under test."""
    for part in ("api", "worker"):
        docker("build", "--build-arg", f"PART={part}", "-t", f"{OWN}-{part}", str(folder), within=BUILD_SECONDS)
    compose = install(PENSTOCK_API_IMAGE=f"{OWN}-api", PENSTOCK_WORKER_IMAGE=f"{OWN}-worker")
    compose.up()
    return compose


def test_it_is_served_and_nothing_else_is(installation: Compose) -> None:
    client = client_of(installation, model="shout")

    done = client.finished(client.submit("shout", text="hello", times=3)["task_id"])

    assert done["result"] == {"text": "HELLO!!!"}
    assert [model["name"] for model in client.http.get("/models").json()["models"]] == ["shout"]
