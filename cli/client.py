"""A client of the HTTP API: submit a task, read its document."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx2

from shared.settings import is_loopback

Document = dict[str, Any]

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0


class ClientError(Exception):
    """The API refused, and asking again would not help. The message says why, for a person."""


class UnavailableError(ClientError):
    """The API cannot be reached or cannot answer now; `retry_after` seconds is when it wants to be asked again."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Reply:
    """A task document, and when the API wants to be asked again."""

    document: Document
    retry_after: float | None


class Client:
    """Speaks to one API. A context manager: it keeps a connection."""

    def __init__(self, url: str, key: str = "") -> None:
        """Take the API's URL, and the key to send if it asks for one, without connecting.

        Raises:
            ClientError: this is no HTTP URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ClientError(f"{url!r} is no http:// or https:// URL")
        self._url = url.rstrip("/")
        self._http = httpx2.Client(
            timeout=httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            trust_env=not is_loopback(parts.hostname),  # a proxy does not reach this machine's loopback
            headers={"Authorization": f"Bearer {key}"} if key else {},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def submit(self, model: str, body: bytes, key: str | None = None, **parameters: float | None) -> Reply:
        """Submit a task with this JSON as its input; `parameters` are those of the query that are not None.

        Again with the same idempotency `key`, it is the same task.

        Raises:
            UnavailableError: the API did not answer, or answered 503.
            ClientError: it refused.
        """
        return self._ask(
            "POST",
            f"/task/{quote(model, safe='')}",
            content=body,
            params={name: value for name, value in parameters.items() if value is not None},
            headers={"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {}),
        )

    def get(self, task_id: str) -> Reply:
        """Read a task.

        Raises:
            UnavailableError: the API did not answer, or answered 503.
            ClientError: it refused: there is no such task, ...
        """
        return self._ask("GET", f"/task/{quote(task_id, safe='')}")

    def cancel(self, task_id: str) -> Reply:
        """Stop a task, queued or running.

        Raises:
            UnavailableError: the API did not answer, or answered 503.
            ClientError: it refused: the task has finished otherwise, there is none, ...
        """
        return self._ask("POST", f"/task/{quote(task_id, safe='')}/cancel")

    def retry(self, task_id: str) -> Reply:
        """Have a failed or canceled task queued again.

        Raises:
            UnavailableError: the API did not answer, or answered 503.
            ClientError: it refused: the task has not failed, there is none, ...
        """
        return self._ask("POST", f"/task/{quote(task_id, safe='')}/retry")

    def forget(self, task_id: str) -> None:
        """Cancel a task if need be, and have it forgotten.

        Raises:
            UnavailableError: the API did not answer, or answered 503.
            ClientError: it refused: there is none, ...
        """
        response = self._request("DELETE", f"/task/{quote(task_id, safe='')}")
        require_success(response.status_code, response.headers, _json(response))

    def list_tasks(self, **parameters: str | int) -> Document:
        """Return a page of tasks; `parameters` are those of the query that are not empty.

        Raises:
            UnavailableError: the API did not answer, or answered 503.
            ClientError: it refused.
        """
        asked = {name: value for name, value in parameters.items() if value != ""}
        response = self._request("GET", "/task", params=asked)
        body = _json(response)
        require_success(response.status_code, response.headers, body)
        return dict(body)

    def _ask(self, method: str, path: str, **request: Any) -> Reply:
        response = self._request(method, path, **request)
        return read_reply(response.status_code, response.headers, _json(response))

    def _request(self, method: str, path: str, **request: Any) -> httpx2.Response:
        try:
            return self._http.request(method, self._url + path, **request)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise UnavailableError(f"cannot reach the API at {self._url}: {error or type(error).__name__}") from error


def require_success(status: int, headers: Mapping[str, str], body: Any) -> None:
    """Pass an answer that is none of the refusals.

    Raises:
        UnavailableError: it is a 503.
        ClientError: it is any other refusal.
    """
    if status == httpx2.codes.SERVICE_UNAVAILABLE:
        raise UnavailableError(problem(status, body), retry_after(headers.get("retry-after")))
    if not httpx2.codes.is_success(status):
        raise ClientError(problem(status, body))


def read_reply(status: int, headers: Mapping[str, str], body: Any) -> Reply:
    """Turn an answer into a reply.

    Raises:
        UnavailableError: it is a 503.
        ClientError: it is any other refusal, or no task document.
    """
    require_success(status, headers, body)
    pause = retry_after(headers.get("retry-after"))
    if not isinstance(body, dict) or not {"task_id", "status"} <= body.keys():
        raise ClientError("the answer is no task document: is this URL a Penstock API?")
    return Reply(body, pause)


def retry_after(header: str | None) -> float | None:
    """Return the seconds of a Retry-After header; None without one, or for a date (Penstock sends none)."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def problem(status: int, body: Any) -> str:
    """Say in words what a problem document says: `title: detail`, and a line for each field that is wrong."""
    if not isinstance(body, Mapping) or "title" not in body:
        return f"the API answered {status} without saying why"
    said = [str(body[name]) for name in ("title", "detail") if body.get(name)]
    errors = body.get("errors")
    fields = [_field(error) for error in errors if isinstance(error, Mapping)] if isinstance(errors, list) else []
    return "\n".join([": ".join(said), *fields])


def _field(error: Mapping[str, Any]) -> str:
    loc = error.get("loc", "")
    where = ".".join(str(part) for part in loc) if isinstance(loc, list) else str(loc)
    return f"  {where}: {error.get('msg', '')}"


def _json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
