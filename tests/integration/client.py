"""What a client developer would write around the HTTP contract."""

from typing import Any

import httpx2

from tests.waiting import eventually

Document = dict[str, Any]
FINAL = ("succeeded", "failed", "canceled")


class Client:
    def __init__(self, http: httpx2.Client) -> None:
        self.http = http

    def submit(self, model: str, **input: Any) -> Document:
        answer = self.http.post(f"/task/{model}", json=input)
        assert answer.status_code == 202, answer.text
        document: Document = answer.json()
        return document

    def get(self, task_id: str) -> Document:
        answer = self.http.get(f"/task/{task_id}")
        assert answer.status_code == 200, answer.text
        document: Document = answer.json()
        return document

    def cancel(self, task_id: str) -> httpx2.Response:
        return self.http.post(f"/task/{task_id}/cancel")

    def until(self, task_id: str, *statuses: str, within: float = 20) -> Document:
        """Poll until the task has one of these statuses."""

        def look() -> Document | None:
            document = self.get(task_id)
            assert document["status"] in statuses or document["status"] not in FINAL, document
            return document if document["status"] in statuses else None

        found = eventually(look, within=within)
        assert found is not None
        return found

    def finished(self, task_id: str, within: float = 20) -> Document:
        return self.until(task_id, *FINAL, within=within)
