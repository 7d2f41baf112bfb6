"""The client commands as a user runs them, against a small real HTTP server."""

import json
import socket
import threading

import pytest

from tests.unit.cli.api import TASK, Api, document
from tests.unit.cli.command import penstock


def test_submit_prints_the_document_on_one_line(api: Api) -> None:
    api.will(202, document("queued"))
    done = penstock("submit", "wait", '{"wait_time": 1}', "--url", api.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout) == document("queued")
    assert api.requests == [("POST", "/task/wait", b'{"wait_time": 1}')]


def test_submit_reads_stdin_and_the_url_from_the_environment(api: Api) -> None:
    api.will(202, document("queued"))
    done = penstock("submit", "wait", "-", stdin='{"wait_time": 2}', PENSTOCK_URL=api.url + "/")
    assert done.returncode == 0
    assert api.requests == [("POST", "/task/wait", b'{"wait_time": 2}')]


def test_submit_of_what_is_no_json_asks_nobody(api: Api) -> None:
    done = penstock("submit", "wait", "{", "--url", api.url)
    assert done.returncode == 2
    assert done.stderr.startswith("penstock: this is no JSON: ")
    assert done.stderr.count("\n") == 1
    assert not api.requests


def test_a_refused_input_says_which_field_and_why(api: Api) -> None:
    errors = [{"loc": ["wait_time"], "msg": "Input should be less than or equal to 10", "type": "less_than_equal"}]
    api.will(422, {"title": "Unprocessable Content", "detail": "the input is not valid", "errors": errors})
    done = penstock("submit", "wait", '{"wait_time": 99}', "--url", api.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "penstock: Unprocessable Content: the input is not valid",
        "penstock:   wait_time: Input should be less than or equal to 10",
    ]


def test_submit_and_wait(api: Api) -> None:
    api.will(202, document("queued"), Retry_After="0")
    api.will(200, document("running"), Retry_After="0")
    api.will(200, document("succeeded", result={"waited": 1}))
    done = penstock("submit", "wait", "{}", "--wait", "--url", api.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["result"] == {"waited": 1}


def test_submit_passes_its_options_on(api: Api) -> None:
    api.will(202, document("queued"))
    done = penstock("submit", "wait", "{}", "--expires-in", "60", "--time-limit", "2.5", "--url", api.url)
    assert done.returncode == 0
    assert api.requests == [("POST", "/task/wait?expires_in=60.0&time_limit=2.5", b"{}")]


def test_submit_takes_a_priority_and_a_key(api: Api) -> None:
    api.will(202, document("queued"))
    done = penstock("submit", "wait", "{}", "--priority", "3", "--key", "once", "--url", api.url)
    assert done.returncode == 0
    assert api.requests == [("POST", "/task/wait?priority=3", b"{}")]
    assert api.headers[0]["Idempotency-Key"] == "once"


@pytest.mark.parametrize("key", ["", "penstock_secret"])
def test_the_key_comes_from_the_environment(api: Api, key: str) -> None:
    api.will(200, document("queued"))
    done = penstock("get", TASK, "--url", api.url, PENSTOCK_API_KEY=key)
    assert done.returncode == 0
    assert api.headers[0].get("Authorization") == (f"Bearer {key}" if key else None)


def test_retry_prints_the_task(api: Api) -> None:
    api.will(202, document("queued"))
    done = penstock("retry", TASK, "--url", api.url)
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "queued")
    assert api.requests == [("POST", f"/task/{TASK}/retry", b"")]


def test_forget_prints_nothing(api: Api) -> None:
    api.will(204, None)
    done = penstock("forget", TASK, "--url", api.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert api.requests == [("DELETE", f"/task/{TASK}", b"")]


def test_list_prints_a_page(api: Api) -> None:
    page = {"tasks": [document("failed")], "next": "7"}
    api.will(200, page)
    done = penstock("list", "--status", "failed,canceled", "--limit", "5", "--url", api.url)
    assert (done.returncode, json.loads(done.stdout)) == (0, page)
    assert api.requests == [("GET", "/task?status=failed%2Ccanceled&limit=5", b"")]


@pytest.mark.parametrize("command", [["list"], ["forget", TASK], ["retry", TASK]])
def test_without_a_key_that_is_asked_for_the_commands_say_so(api: Api, command: list[str]) -> None:
    api.will(401, {"title": "A key is needed", "detail": "Send a key."})
    done = penstock(*command, "--url", api.url)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "penstock: A key is needed: Send a key.\n")


def test_cancel_prints_what_became_of_the_task(api: Api) -> None:
    api.will(200, document("canceled"))
    done = penstock("cancel", TASK, "--url", api.url)
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "canceled")
    assert api.requests == [("POST", f"/task/{TASK}/cancel", b"")]


def test_cancel_of_a_finished_task_says_so(api: Api) -> None:
    api.will(409, {"title": "The task has finished", "detail": "it has succeeded, so it cannot be canceled."})
    done = penstock("cancel", TASK, "--url", api.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "penstock: The task has finished: it has succeeded, so it cannot be canceled.\n"


def test_get_quotes_the_id(api: Api) -> None:
    api.will(404, {"title": "Not Found", "detail": "no such task"})
    done = penstock("get", "../models", "--url", api.url)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "penstock: Not Found: no such task\n")
    assert api.requests[0][1] == "/task/..%2Fmodels"


@pytest.mark.parametrize(("status", "code"), [("succeeded", 0), ("failed", 1), ("canceled", 1)])
def test_wait_ends_with_the_task(api: Api, status: str, code: int) -> None:
    api.will(200, document("queued"), Retry_After="0")
    api.will(200, document(status))
    done = penstock("wait", TASK, "--url", api.url)
    assert (done.returncode, done.stderr) == (code, "")
    assert json.loads(done.stdout)["status"] == status
    assert len(api.requests) == 2


def test_wait_outlasts_a_503(api: Api) -> None:
    api.will(503, {"title": "Service Unavailable"}, Retry_After="0")
    api.will(200, document("succeeded"))
    assert penstock("wait", TASK, "--url", api.url).returncode == 0


def test_wait_outlasts_a_restart_of_the_api() -> None:
    with Api() as gone:
        port = gone.server_address[1]
    later: list[Api] = []

    def come_back() -> None:
        with Api(port) as api:
            later.append(api)
            api.will(200, document("succeeded"))
            api.timeout = 30
            api.handle_request()

    timer = threading.Timer(1.0, come_back)
    timer.start()
    done = penstock("wait", TASK, "--timeout", "30", "--url", f"http://127.0.0.1:{port}")
    timer.join()
    assert (done.returncode, done.stderr) == (0, "")
    assert len(later[0].requests) == 1


def test_wait_gives_up_in_time(api: Api) -> None:
    api.will(200, document("running"), Retry_After="60")
    done = penstock("wait", TASK, "--timeout", "0.3", "--url", api.url)
    assert done.returncode == 3
    assert done.stderr == f"penstock: not finished after 0.3 s; the task goes on: penstock wait {TASK}\n"
    assert json.loads(done.stdout)["status"] == "running"


def test_wait_for_what_never_was_is_one_line(api: Api) -> None:
    api.will(404, {"title": "Not Found", "detail": "no such task"})
    done = penstock("wait", TASK, "--url", api.url)
    assert (done.returncode, done.stderr) == (1, "penstock: Not Found: no such task\n")


def test_an_api_that_is_away_is_one_line_with_its_url() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    for arguments in (("submit", "wait", "{}"), ("get", TASK)):
        done = penstock(*arguments, "--url", url)
        assert done.returncode == 1
        assert done.stderr.startswith(f"penstock: cannot reach the API at {url}: ")
        assert done.stderr.count("\n") == 1


def test_a_proxy_is_not_asked_for_loopback(api: Api) -> None:
    api.will(200, document("running"))
    assert penstock("get", TASK, "--url", api.url, http_proxy="http://127.0.0.1:9", NO_PROXY="").returncode == 0
