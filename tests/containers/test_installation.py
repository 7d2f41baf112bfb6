"""`docker compose up`: the shipped models, the rights of every container, and their own health checks."""

import base64
import re
from difflib import SequenceMatcher
from typing import Any

import pytest

from models.digits.model import Model as Digits
from models.digits.schema import EXAMPLE
from models.digits.schema import Input as DigitsInput
from tests.containers.compose import ROOT, Compose, until_healthy
from tests.containers.conftest import Install, client_of
from tests.containers.engine import inspect
from tests.integration.client import Client

SERVICES = ("redis", "api", "worker")
PAGE = ROOT / "tests" / "data" / "page.png"


@pytest.fixture(scope="module")
def installation(install: Install) -> Compose:
    compose = install(PENSTOCK_CONCURRENCY="1")
    compose.up()
    return compose


@pytest.fixture(scope="module")
def client(installation: Compose) -> Client:
    return client_of(installation, model="ocr")


def result_of(client: Client, model: str, **input: Any) -> Any:
    document = client.finished(client.submit(model, **input)["task_id"], within=60)
    assert document["status"] == "succeeded", document
    return document["result"]


def letters(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_it_predicts_what_make_run_predicts(client: Client) -> None:
    pixels = [float(each) for each in EXAMPLE if isinstance(each, int)]
    here = Digits().predict(DigitsInput(pixels=tuple(pixels))).model_dump(mode="json")

    assert result_of(client, "wait", wait_time=1)["message"] == "task done after 1"
    assert result_of(client, "digits", pixels=pixels) == here
    page = base64.b64encode(PAGE.read_bytes()).decode()
    read = letters(result_of(client, "ocr", image=page)["text"])
    assert SequenceMatcher(None, read, letters(PAGE.with_suffix(".txt").read_text()), autojunk=False).ratio() > 0.99


@pytest.mark.parametrize("service", SERVICES)
def test_its_own_health_check_finds_it_healthy(installation: Compose, client: Client, service: str) -> None:
    until_healthy(installation.only(service))


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_has_no_right_that_it_does_not_need(installation: Compose, service: str) -> None:
    host = inspect(installation.only(service))["HostConfig"]

    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] == 1000
    assert not host["Privileged"]


def test_only_the_api_is_reached_and_only_from_this_machine(installation: Compose) -> None:
    ports = {service: inspect(installation.only(service))["HostConfig"]["PortBindings"] for service in SERVICES}

    assert not ports["redis"]
    assert not ports["worker"]
    assert [bound["HostIp"] for bound in ports["api"]["8000/tcp"]] == ["127.0.0.1"]


def test_redis_keeps_what_it_is_given(installation: Compose) -> None:
    asked = ("appendonly", "appendfsync", "maxmemory-policy", "list-compress-depth")
    answers = [installation.redis("CONFIG", "GET", name).split() for name in asked]

    assert dict(answers) == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "list-compress-depth": "1",
    }
    _, limit = installation.redis("CONFIG", "GET", "maxmemory").split()
    assert 0 < int(limit) <= inspect(installation.only("redis"))["HostConfig"]["Memory"] // 2
