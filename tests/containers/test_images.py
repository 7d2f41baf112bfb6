"""What the two images hold, what they do not, and that they run with as few rights as they are given."""

import tomllib

import pytest

from tests.containers.compose import ROOT
from tests.containers.engine import CommandError, docker, inspect
from tests.containers.images import Images

MODEL_LIBRARIES = ("numpy", "scipy", "sklearn", "onnxruntime", "cv2", "PIL", "rapidocr_onnxruntime", "torch")
WEB_FRAMEWORK = ("fastapi", "starlette", "uvicorn")
COMPILERS = ("cc", "gcc", "g++", "c++", "clang", "make", "cargo", "rustc")
PARTS = ("api", "worker")
# Imports the modules it is told, and prints what of all that came with them has no compiled file.
NOT_COMPILED = """
import importlib, sys
from pathlib import Path
for name in sys.argv[1:]:
    importlib.import_module(name)
specs = {name: getattr(module, "__spec__", None) for name, module in list(sys.modules.items())}
sources = {name: spec for name, spec in specs.items() if spec and str(spec.origin).endswith(".py")}
print(*[name for name, spec in sources.items() if not Path(spec.cached).exists()])
"""


def in_image(image: str, *command: str) -> str:
    """Run a command as the image's own user, with a read-only root file system, no capability and no network."""
    rights = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")
    return docker("run", "--rm", "--init", *rights, image, *command)


def importable(image: str, modules: tuple[str, ...]) -> set[str]:
    code = f"from importlib.util import find_spec; print(*[name for name in {modules!r} if find_spec(name)])"
    return set(in_image(image, "python", "-P", "-c", code).split())


@pytest.fixture(params=PARTS)
def part(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def image(part: str, images: Images) -> str:
    return images.api if part == "api" else images.worker


def test_the_api_has_no_model_library(images: Images) -> None:
    assert importable(images.api, MODEL_LIBRARIES) == set()
    assert importable(images.api, WEB_FRAMEWORK) == set(WEB_FRAMEWORK)


def test_the_worker_has_the_models_and_no_web_framework(images: Images) -> None:
    assert importable(images.worker, WEB_FRAMEWORK) == set()
    assert importable(images.worker, MODEL_LIBRARIES) == set(MODEL_LIBRARIES) - {"torch"}


def test_there_is_no_compiler(image: str) -> None:
    assert in_image(image, "sh", "-c", f"command -v {' '.join(COMPILERS)} || true") == ""


def test_it_runs_as_a_user_without_a_name_who_owns_nothing(image: str) -> None:
    assert inspect(image)["Config"]["User"] == "10001:10001"
    assert in_image(image, "id", "-u") == "10001"
    writable = "find /opt/penstock /usr /models -xdev -writable -not -type l | head"
    assert docker("run", "--rm", "--network=none", image, "sh", "-c", writable) == ""


def test_nothing_is_left_of_the_build(image: str) -> None:
    places = "/root/.cache /root/.config /tmp /build /dist /var/cache/pip"
    look = f"find {places} -type f 2>/dev/null || true"
    assert docker("run", "--rm", "--user=0", "--network=none", image, "sh", "-c", look) == ""


def test_what_it_imports_is_compiled(image: str, part: str) -> None:
    """The root file system is read-only: what is not compiled would be at every start and every health check."""
    names = (f"{part}.__main__", "api.alive" if part == "api" else "worker.heartbeat")
    assert in_image(image, "python", "-P", "-c", NOT_COMPILED, *names) == ""


def test_it_stops_at_sigterm_and_checks_its_own_health(image: str, part: str) -> None:
    config = inspect(image)["Config"]

    assert config["StopSignal"] == "SIGTERM"
    assert config["Cmd"] == ["penstock", part]  # no shell that would keep the signal to itself
    assert config["Entrypoint"] is None
    assert config["Healthcheck"]["Test"][:4] == ["CMD", "python", "-P", "-m"]


def test_its_label_says_the_version_of_the_package(image: str, part: str) -> None:
    labels = inspect(image)["Config"]["Labels"]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert labels["org.opencontainers.image.version"] == version
    assert labels["org.opencontainers.image.title"] == f"penstock-{part}"
    assert in_image(image, "penstock", "--version") == version


def test_it_says_what_it_misses(image: str) -> None:
    """Without a ledger, or open to everyone by mistake, it does not start, and says which setting is meant."""
    with pytest.raises(CommandError, match=r"PENSTOCK_(REDIS_URL|API_HOST)"):
        in_image(image)
