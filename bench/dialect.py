"""How one contender is spoken to: where to submit and to poll, and how the bytes of an answer show what it is."""

import json
from dataclasses import dataclass
from typing import Any

from bench.wire import Answer, get

READY = (200, 201, 202)


class WrongAnswerError(Exception):
    """A contender answered what no task of this benchmark may be answered."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """Paths have {work} and {id} in them; texts are looked for in the body as it came."""

    submit: str = "/task/{work}"
    poll: str = "/task/{id}"
    result: str = ""  # where the result is, if not in what `poll` finds
    wait: str = ""  # to submit and be answered with the finished task
    done: str = '"status":"done"'
    pending: tuple[str, ...] = ('"status":"pending"',)
    id: str = '"task_id":"'  # what the id follows, up to the next quote
    field: str = "result"  # of the JSON that has the result; empty: it is the result
    answers: bool = False  # there is no task: the answer to the submit is the result

    def poll_request(self, work: str, id: str) -> bytes:
        """Return the GET that looks at a task."""
        return get(self.poll.format(work=work, id=id))

    def result_request(self, work: str, id: str) -> bytes:
        """Return the GET that has a task's result."""
        return get((self.result or self.poll).format(work=work, id=id))

    def id_of(self, answer: Answer | None) -> str:
        """Return the id of the task that was accepted.

        Raises:
            WrongAnswerError: it was not.
        """
        start = accepted(answer).body.find(self.id.encode())
        if start < 0:
            raise WrongAnswerError(f"no id in {answer}")
        start += len(self.id)
        assert answer is not None
        return answer.body[start : answer.body.index(b'"', start)].decode()

    def is_done(self, answer: Answer | None) -> bool:
        """Tell whether the task has succeeded.

        Raises:
            WrongAnswerError: it never will.
        """
        body = accepted(answer).body
        if self.done.encode() in body:
            return True
        if any(text.encode() in body for text in self.pending):
            return False
        raise WrongAnswerError(f"neither done nor pending: {body[:500]!r}")

    def require(self, answer: Answer | None, expected: dict[str, Any]) -> None:
        """Check a finished task's result.

        Raises:
            WrongAnswerError: it is not `expected`.
        """
        found = json.loads(accepted(answer).body)
        result = found[self.field] if self.field else found
        if result != expected:
            raise WrongAnswerError(f"{result} instead of {expected}")


def accepted(answer: Answer | None) -> Answer:
    """Return an answer that is not a refusal.

    Raises:
        WrongAnswerError: it is one.
    """
    if answer is None or answer.status not in READY:
        raise WrongAnswerError(f"refused: {answer}")
    return answer
