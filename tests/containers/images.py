"""The images under test, built from this checkout the way that docker-compose.yml builds them."""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.containers.compose import Compose, write_override
from tests.containers.engine import docker

PREFIX = "penstock-test"
BUILD_SECONDS = 900.0
PASSED_ON = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL")


@dataclass(frozen=True, slots=True)
class Images:
    """The names of the images that the tests run."""

    api: str
    worker: str
    redis: str

    def variables(self) -> dict[str, str]:
        """Return the variables by which docker-compose.yml takes them."""
        return {"PENSTOCK_API_IMAGE": self.api, "PENSTOCK_WORKER_IMAGE": self.worker, "REDIS_IMAGE": self.redis}


def build(folder: Path) -> Images:
    """Build everything, with `folder` for a scratch."""
    images = Images(f"{PREFIX}-api", f"{PREFIX}-worker", f"{PREFIX}-redis")
    build_redis(images.redis)
    options = build_options()
    override = write_override(folder, {"api": {"build": options}, "worker": {"build": options}})
    Compose(images.variables(), (override,)).run("build", within=BUILD_SECONDS)
    return images


def build_options() -> dict[str, object]:
    """Return what a build needs to reach the package index from this machine."""
    options: dict[str, object] = {"args": {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}}
    if os.environ.get("BUILD_NETWORK"):
        options["network"] = os.environ["BUILD_NETWORK"]
    return options


def build_redis(name: str) -> None:
    """Have an image with the data folder of Redis's official one, whatever REDIS_IMAGE is."""
    base = os.environ.get("REDIS_IMAGE") or "redis:7"
    docker(
        "build", "-t", name, "-", within=BUILD_SECONDS,
        text=f"FROM {base}\nUSER root\nRUN mkdir -p /data && chown 999:999 /data\n",
    )  # fmt: skip
