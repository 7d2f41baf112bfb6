"""Who may come in, and what they find: their own tasks and nobody else's."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from shared.keys import digest, new_key
from shared.ledger.connection import Ledger
from tests.integration.api.process import Api, run_api
from tests.integration.api.requests import HELLO, problem, submit, succeed
from tests.redis_server import RedisServer

ANN, ANNS_NEXT, BEN = new_key(), new_key(), new_key()


@pytest.fixture(scope="module")
def locked(server: RedisServer, models: str) -> Iterator[Api]:
    lines = f"ann:{digest(ANN)}, ann:{digest(ANNS_NEXT)},\nben:{digest(BEN).upper()}"
    api = Api(PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models, PENSTOCK_API_KEYS=lines)
    yield api
    assert api.close() == 0
    log = "".join(api.log)
    assert "Traceback" not in log
    assert not any(secret in log for key in (ANN, ANNS_NEXT, BEN) for secret in (key, digest(key)))


def client(locked: Api, key: str, header: str = "Authorization") -> httpx2.Client:
    value = f"Bearer {key}" if header == "Authorization" else key
    return httpx2.Client(base_url=locked.http.base_url, headers={header: value}, timeout=10, trust_env=False)


@pytest.fixture
def ann(locked: Api, server: RedisServer) -> Iterator[httpx2.Client]:
    server.client.flushall()
    with client(locked, ANN) as http:
        yield http


@pytest.fixture
def ben(locked: Api, ann: httpx2.Client) -> Iterator[httpx2.Client]:
    with client(locked, BEN, "X-API-Key") as http:
        yield http


CALLS = [
    ("POST", "/task/echo"),
    ("POST", "/task"),
    ("GET", "/task"),
    ("GET", f"/task/{uuid4()}"),
    ("DELETE", f"/task/{uuid4()}"),
    ("POST", f"/task/{uuid4()}/cancel"),
    ("POST", f"/task/{uuid4()}/retry"),
    ("GET", f"/task/{uuid4()}/events"),
    ("GET", "/models"),
    ("GET", "/models/echo"),
    ("GET", "/nothing/here"),
]
WRONG = [
    {},
    {"Authorization": "Bearer"},
    {"Authorization": f"Bearer {ANN[:-1]}"},
    {"Authorization": f"Bearer {digest(ANN)}"},
    {"Authorization": f"Basic {ANN}"},
    {"Authorization": ANN},
    {"X-API-Key": ""},
    {"X-API-Key": "ann"},
    {"X-API-Key": BEN, "Authorization": f"Bearer {ANN}"},  # whose?
    {"Cookie": f"key={ANN}"},
]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_without_a_key_nothing_answers_but_401(locked: Api, method: str, path: str) -> None:
    answer = locked.http.request(method, path, content=b"{" * 100, headers={"Content-Type": "application/json"})
    problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer realm="penstock"'


@pytest.mark.parametrize("headers", WRONG)
def test_what_is_no_key_opens_nothing(locked: Api, headers: dict[str, str]) -> None:
    answer = locked.http.get("/task", headers=headers)
    problem(answer, 401, "unauthorized")
    assert ANN not in answer.text


def test_a_key_in_the_query_opens_nothing(locked: Api) -> None:
    for name in ("key", "api_key", "access_token"):
        problem(locked.http.get("/task", params={name: ANN}), 401, "unauthorized")


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/docs", "/openapi.json"])
def test_probes_and_the_contract_need_no_key(locked: Api, path: str) -> None:
    assert locked.http.get(path, follow_redirects=True).status_code == 200


@pytest.mark.parametrize("path", ["//task", "/task/", "/docs/../task", "/docs/..%2ftask", "/livez/../task", "/docs/x"])
def test_no_spelling_of_a_path_is_a_way_around(locked: Api, path: str) -> None:
    url = f"{locked.http.base_url}".rstrip("/") + path  # as it is: joined to a base, //task would be a host
    assert locked.http.get(url).status_code in (401, 404)


def test_both_keys_of_a_name_open_the_same(locked: Api, ann: httpx2.Client) -> None:
    id = submit(ann)["task_id"]
    with client(locked, ANNS_NEXT, "X-API-Key") as next_http:
        assert next_http.get(f"/task/{id}").status_code == 200


@pytest.mark.parametrize("ended", [False, True])
def test_another_owners_task_is_like_one_that_never_was(
    ann: httpx2.Client, ben: httpx2.Client, ledger: Ledger, ended: bool
) -> None:
    theirs, never = submit(ann)["task_id"], str(uuid4())
    if ended:
        succeed(ledger, theirs, b"{}")
    was = ann.get(f"/task/{theirs}").json()

    for method, end in (
        ("GET", ""),
        ("GET", "?wait=1"),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("GET", "/events"),
    ):
        answers = [ben.request(method, f"/task/{id}{end}") for id in (theirs, never)]
        problem(answers[0], 404, "unknown-task")
        texts = {answer.text.replace(id, "ID") for answer, id in zip(answers, (theirs, never), strict=True)}
        names = {tuple(sorted(set(answer.headers))) for answer in answers}
        assert len(texts) == len(names) == 1

    assert ann.get(f"/task/{theirs}").json() == was
    assert ben.get("/task").json()["tasks"] == []
    assert [task["task_id"] for task in ann.get("/task").json()["tasks"]] == [theirs]


def test_a_gone_task_is_gone_for_its_owner_alone(ann: httpx2.Client, ben: httpx2.Client) -> None:
    id = submit(ann)["task_id"]
    ann.delete(f"/task/{id}")

    problem(ann.get(f"/task/{id}"), 410, "task-gone")
    problem(ben.get(f"/task/{id}"), 404, "unknown-task")


def test_the_same_idempotency_key_of_two_owners_is_two(ann: httpx2.Client, ben: httpx2.Client) -> None:
    key = {"Idempotency-Key": "shared"}
    first, second = (http.post("/task/echo", json=HELLO, headers=key) for http in (ann, ben))

    assert first.json()["task_id"] != second.json()["task_id"]
    assert "idempotency-replayed" not in second.headers


def test_the_openapi_document_says_where_a_key_is_needed(locked: Api, http: httpx2.Client) -> None:
    document = locked.http.get("/openapi.json").json()

    assert set(document["components"]["securitySchemes"]) == {"bearer", "key"}
    for path, operations in document["paths"].items():
        for name, operation in operations.items():
            if name != "parameters":
                assert (
                    ("security" in operation)
                    == ("401" in operation["responses"])
                    == (path not in ("/livez", "/readyz"))
                )
    assert "securitySchemes" not in http.get("/openapi.json").json()["components"]


def test_keys_may_come_as_a_file(server: RedisServer, models: str, tmp_path: Path) -> None:
    file = tmp_path / "penstock_api_keys"
    file.write_text(f"# who may come in\nann:{digest(ANN)}\n\nben:{digest(BEN)}\n")
    file.chmod(stat.S_IRUSR)
    api = Api(PENSTOCK_REDIS_URL=server.url, PENSTOCK_MODELS=models, PENSTOCK_SECRETS_DIR=str(tmp_path))
    try:
        assert api.http.get("/task").status_code == 401
        for key in (ANN, BEN):
            with client(api, key) as http:
                assert http.get("/task").status_code == 200
    finally:
        assert api.close() == 0


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"PENSTOCK_API_KEYS": ANN}, "PENSTOCK_API_KEYS: entry 1"),
        ({"PENSTOCK_API_KEYS": f"ann:{digest(ANN)},ben:{BEN}"}, "PENSTOCK_API_KEYS: entry 2"),
        ({"PENSTOCK_API_KEYS": f"an n:{digest(ANN)}"}, "PENSTOCK_API_KEYS: entry 1"),
        ({"PENSTOCK_API_KEYS": f"ann:{digest(ANN)}", "PENSTOCK_AUTH": "off"}, "PENSTOCK_AUTH"),
        ({"PENSTOCK_API_HOST": "0.0.0.0"}, "PENSTOCK_AUTH"),
    ],
)
def test_a_door_that_does_not_shut_keeps_the_api_from_starting(
    server: RedisServer, models: str, variables: dict[str, str], said: str
) -> None:
    process = run_api(
        **{"PENSTOCK_REDIS_URL": server.url, "PENSTOCK_MODELS": models, "PENSTOCK_API_PORT": "0"} | variables
    )

    _, log = process.communicate(timeout=30)

    assert process.returncode == 2
    assert said in log
    assert not any(secret in log for secret in (ANN, BEN, digest(ANN)))


def test_with_keys_it_serves_other_machines(server: RedisServer, models: str) -> None:
    api = Api(
        PENSTOCK_REDIS_URL=server.url,
        PENSTOCK_MODELS=models,
        PENSTOCK_API_HOST="0.0.0.0",
        PENSTOCK_API_KEYS=f"ann:{digest(ANN)}",
    )
    assert api.close() == 0
    assert os.environ.get("PENSTOCK_API_KEYS") is None
