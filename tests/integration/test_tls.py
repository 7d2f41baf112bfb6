"""Redis over TLS: everything that speaks to it checks whom it speaks to, and says in one line why it does not."""

import re
from collections.abc import Callable, Iterator

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.certificates import Authority, Certificate
from tests.integration.client import Client
from tests.integration.conftest import free_port
from tests.integration.nodes import ApiProcess, WorkerProcess
from tests.redis_server import RedisServer
from worker.consumer import celery_app

AddWorker = Callable[..., WorkerProcess]
PASSWORD = "sesame"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def stranger(authority: Authority) -> Authority:
    """An authority that has signed nothing of ours."""
    return Authority(authority.file.parent, "stranger")


@pytest.fixture(scope="module")
def of_client(authority: Authority) -> Certificate:
    return authority.sign("client", password=PASSWORD)


@pytest.fixture(scope="module")
def secure_server(authority: Authority) -> Iterator[RedisServer]:
    """Known as 127.0.0.1, and not as localhost; reached over TLS alone."""
    certificate, port = authority.sign("server", "IP:127.0.0.1"), free_port()
    server = RedisServer(
        "redis",
        *("--tls-port", str(port), "--requirepass", PASSWORD, "--tls-auth-clients", "optional"),
        *("--tls-cert-file", str(certificate.file), "--tls-key-file", str(certificate.key)),
        *("--tls-ca-cert-file", str(authority.file)),
        password=PASSWORD,
    )
    server.url = f"rediss://:{PASSWORD}@127.0.0.1:{port}/0?ssl_ca_certs={authority.file}"
    yield server
    server.close()


@pytest.fixture
def broker_server(secure_server: RedisServer) -> RedisServer:
    secure_server.client.flushall()
    secure_server.client.config_set("tls-auth-clients", "optional")
    return secure_server


def test_tasks_run_over_tls(add_worker: AddWorker, client: Client) -> None:
    worker = add_worker()
    worker.ready()
    for text in ("by Celery's message", "by the child's own"):
        answer = client.http.post("/task/echo", json={"text": text}, headers={"Prefer": "wait=10"})
        assert (answer.status_code, answer.json()["result"]) == (200, {"text": text})
    running = client.submit("wait", wait_time=10)["task_id"]
    client.until(running, "running")
    assert client.cancel(running).json()["status"] == "canceled"
    assert PASSWORD not in worker.logs()


def test_a_client_certificate_is_shown(
    add_worker: AddWorker, environment: dict[str, str], broker_server: RedisServer, of_client: Certificate
) -> None:
    broker_server.client.config_set("tls-auth-clients", "yes")
    without = add_worker()
    assert without.wait() == 1
    assert re.fullmatch(r"penstock worker: PENSTOCK_REDIS_URL \(rediss://\*\*\*@.*\).*\n", without.logs())

    shown = f"&ssl_certfile={of_client.file}&ssl_keyfile={of_client.key}&ssl_password={PASSWORD}"
    environment["PENSTOCK_REDIS_URL"] += shown
    worker = add_worker()
    worker.ready()
    celery_app(environment["PENSTOCK_REDIS_URL"], ["echo"], lambda _: None).connection().connect()
    assert PASSWORD not in worker.logs()


@pytest.mark.usefixtures("stranger")
@pytest.mark.parametrize("start", ["api", "worker"])
@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (("authority.pem", "stranger.pem"), 1, "certificate is not accepted: self-signed certificate"),
        (("127.0.0.1", "localhost"), 1, "certificate is not accepted: Hostname mismatch"),
        (("authority.pem", "nowhere.pem"), 2, "ssl_ca_certs: .*nowhere.pem: No such file"),
        (("authority.pem", "authority.key"), 2, "ssl_ca_certs: .*authority.key: "),
        (("ssl_ca_certs", "ssl_ca"), 2, "has the option ssl_ca, which rediss:// does not take"),
        (("rediss", "redis"), 2, "has the option ssl_ca_certs, but no TLS"),
    ],
)
def test_whom_it_does_not_trust_is_told_in_one_line(
    add_worker: AddWorker, environment: dict[str, str], *, start: str, change: tuple[str, str], code: int, words: str
) -> None:
    environment["PENSTOCK_REDIS_URL"] = environment["PENSTOCK_REDIS_URL"].replace(*change)
    process = add_worker() if start == "worker" else ApiProcess(free_port(), environment)
    assert process.wait() == code
    (line,) = process.logs().splitlines()
    process.close()
    assert re.match(rf"penstock {start}: PENSTOCK_REDIS_URL.*{words}", line), line
    assert PASSWORD not in line


def test_celery_checks_the_certificate_too(
    broker_server: RedisServer, authority: Authority, stranger: Authority
) -> None:
    """Its transport would not, unless told to."""

    def connect(url: str) -> None:
        with celery_app(url, ["echo"], lambda _: None).connection() as connection:
            connection.connect()

    connect(broker_server.url)
    for wrong in (
        broker_server.url.replace(str(authority.file), str(stranger.file)),
        broker_server.url.replace("127.0.0.1", "localhost"),
    ):
        with pytest.raises(RedisConnectionError, match="certificate verify failed"):
            connect(wrong)
        connect(f"{wrong}&ssl_cert_reqs=none")
