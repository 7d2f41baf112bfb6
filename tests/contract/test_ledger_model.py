"""The ledger against a reference in plain Python: hypothesis walks both, and they must agree at every step."""

import json
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from shared.ledger import calls
from shared.ledger.connection import Ledger
from shared.ledger.records import Claim, Retry
from shared.queue import list_key
from shared.task import PRIORITIES, ErrorCode, Missing, Status, TaskError
from tests.contract.reference import MAX_ATTEMPTS, Reference
from tests.contract.steps import EVERYTHING, abandon, read, release, submit, try_to_claim

KEPT_MS = 600_000
LEASE_MS = 600_000
ERROR = TaskError(ErrorCode.MODEL_ERROR, "The model raised KeyError.")


class LedgerMachine(RuleBasedStateMachine):
    """Random walks over every step, with tokens old and new."""

    ledger: Ledger
    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.ledger.client.flushall()
        self.tasks: dict[str, Reference] = {}
        self.arrivals = self.releases = self.retries = 0

    @rule(target=ids, priority=st.sampled_from(PRIORITIES))
    def submit(self, priority: int) -> str:
        id = f"00000000-0000-4000-8000-{len(self.tasks):012d}"
        submit(self.ledger, id, priority=priority)
        self.tasks[id] = Reference(priority, order=self._arrive(), number=len(self.tasks))
        return id

    @rule(id=ids, again=st.booleans())
    def claim(self, id: str, again: bool) -> None:
        task, nonce = self.tasks[id], str(uuid4())
        was_queued = task.status is Status.QUEUED
        claim = try_to_claim(self.ledger, id, nonce=nonce)
        if again:
            assert try_to_claim(self.ledger, id, nonce=nonce, again=True) == claim
        assert (claim is not None) == was_queued
        task.overdue = False
        if claim is not None:
            task.status, task.attempt = Status.RUNNING, task.attempt + 1
            task.sighted = task.lease_expired = False
            task.claims.append(claim)
            task.nonces.append(nonce)
            assert claim.token == task.attempt

    @rule(id=ids, which=st.integers(0, 5), result=st.binary(max_size=20))
    def succeed(self, id: str, which: int, result: bytes) -> None:
        task, claim = self.tasks[id], self._claim(id, which)
        accepted = self.ledger.run(calls.succeed(claim, result, KEPT_MS))
        assert accepted == (task.holds(claim.token) or task.has_ended(claim.token, Status.SUCCEEDED))
        if task.holds(claim.token):
            task.status, task.result = Status.SUCCEEDED, result

    @rule(id=ids, which=st.integers(0, 5))
    def fail(self, id: str, which: int) -> None:
        task, claim = self.tasks[id], self._claim(id, which)
        accepted = self.ledger.run(calls.fail(id, claim.token, ERROR, KEPT_MS))
        assert accepted == (task.holds(claim.token) or task.has_ended(claim.token, Status.FAILED, ERROR.code))
        if task.holds(claim.token):
            task.status, task.error = Status.FAILED, ERROR.code

    @rule(id=ids, which=st.integers(0, 5))
    def release(self, id: str, which: int) -> None:
        task, claim = self.tasks[id], self._claim(id, which)
        released = release(self.ledger, self._nonce(id, which))
        assert released == ((id,) if task.holds(claim.token) else ())
        if released:
            self.releases += 1
            task.status, task.sighted, task.lease_expired = Status.QUEUED, False, False

    @rule(id=ids, which=st.integers(0, 5))
    def abandon(self, id: str, which: int) -> None:
        task, claim = self.tasks[id], self._claim(id, which)
        verdicts = abandon(self.ledger, self._nonce(id, which), MAX_ATTEMPTS)
        if task.holds(claim.token):
            task.lose()
            assert verdicts == {id: task.status}
        else:
            assert verdicts == {}

    @rule(id=ids)
    def cancel(self, id: str) -> None:
        task = self.tasks[id]
        self.ledger.run(calls.cancel(id, "", KEPT_MS))
        task.overdue = False
        if task.status in (Status.QUEUED, Status.RUNNING):
            task.status = Status.CANCELED

    @rule(id=ids)
    def retry(self, id: str) -> None:
        task = self.tasks[id]
        found = self.ledger.run(calls.retry(id, "", EVERYTHING, KEPT_MS))
        assert isinstance(found, Retry)
        task.overdue = False
        assert found.accepted == (not task.forgotten and task.status in (Status.FAILED, Status.CANCELED))
        if found.accepted:
            self.retries += 1
            task.status, task.error, task.lost, task.order = Status.QUEUED, None, 0, self._arrive()
            task.sighted = task.lease_expired = False

    @rule(id=ids)
    def forget(self, id: str) -> None:
        task = self.tasks[id]
        assert self.ledger.run(calls.forget(id, "", KEPT_MS)) is (Missing.GONE if task.forgotten else None)
        task.overdue, task.forgotten = False, True
        if task.status in (Status.QUEUED, Status.RUNNING):
            task.status = Status.CANCELED

    @rule(id=ids, which=st.integers(0, 5))
    def renew(self, id: str, which: int) -> None:
        task, claim = self.tasks[id], self._claim(id, which)
        lost = self.ledger.run(calls.renew([(id, claim.token)], LEASE_MS))
        assert (id not in lost) == task.holds(claim.token)
        if not lost:
            task.sighted = task.lease_expired = False

    @rule(id=ids)
    def expire_lease(self, id: str) -> None:
        task = self.tasks[id]
        if task.status is Status.RUNNING:
            self.ledger.client.zadd("penstock:leases:wait", {id: 1}, xx=True)
            task.lease_expired = True

    @rule(id=ids)
    def expire(self, id: str) -> None:
        """Its deadline passes: whoever comes next must find it failed."""
        task = self.tasks[id]
        if task.status is Status.QUEUED and task.attempt == 0 and not task.forgotten:
            self.ledger.client.hset(f"penstock:task:{id}", "deadline", read(self.ledger, id).created_ms)
            self.ledger.client.zadd("penstock:deadlines:wait", {id: 1})
            task.status, task.error, task.overdue = Status.FAILED, ErrorCode.EXPIRED, True

    @rule(id=ids)
    def decline(self, id: str) -> None:
        assert self.ledger.run(calls.decline(id)) == self.tasks[id].is_in_queue

    @rule(priority=st.sampled_from(PRIORITIES))
    def double_a_message(self, priority: int) -> None:
        text = self.ledger.client.lindex(list_key("wait", priority), 0)
        if text is not None:
            self.ledger.client.rpush(list_key("wait", priority), text)

    @rule()
    def reap(self) -> None:
        self.ledger.run(calls.announce("worker", {"wait": 1}, LEASE_MS))
        self.ledger.run(calls.reap(MAX_ATTEMPTS, KEPT_MS, 0, 0))
        for task in self.tasks.values():
            task.overdue = False
            if task.status is Status.RUNNING and task.lease_expired:
                if task.sighted:
                    task.lose()
                else:
                    task.sighted = True

    @rule(priority=st.sampled_from(PRIORITIES))
    def lose_a_message(self, priority: int) -> None:
        self.ledger.client.rpop(list_key("wait", priority))

    @invariant()
    def they_agree(self) -> None:
        queued = sorted((t.place, id) for id, t in self.tasks.items() if t.is_in_queue)
        places = {id: place for place, (_, id) in enumerate(queued, start=1)}
        position = {id: place for id, place in places.items() if self.tasks[id].status is Status.QUEUED}
        for id, reference in self.tasks.items():
            if reference.forgotten:
                assert self.ledger.run(calls.read(id, "", KEPT_MS)) is Missing.GONE
                continue
            task = read(self.ledger, id)
            assert (task.status, task.attempt, task.lost) == (reference.status, reference.attempt, reference.lost)
            assert task.result == reference.result
            assert (task.error.code if task.error else None) == reference.error
            assert (task.queue.position if task.queue else None) == position.get(id)

    @invariant()
    def the_list_has_every_task_once(self) -> None:
        listed = self.ledger.run(calls.list_tasks("", KEPT_MS, limit=100)).tasks
        kept = sorted((t.number, id) for id, t in self.tasks.items() if not t.forgotten)
        assert [task.id for task in listed] == [id for _, id in reversed(kept)]

    @invariant()
    def nothing_is_left_behind(self) -> None:
        census = self.ledger.run(calls.census(["wait"]))["wait"]
        statuses = [task.status for task in self.tasks.values()]
        assert census.queued == statuses.count(Status.QUEUED)
        assert census.running == statuses.count(Status.RUNNING)
        waiting = self.ledger.client.zrange("penstock:tasks::wait:queued", 0, -1)
        overdue = self.ledger.client.zrange("penstock:deadlines:wait", 0, -1)
        assert len(set(waiting) - set(overdue)) == census.queued

    @invariant()
    def what_is_counted_adds_up(self) -> None:
        counted, tasks = self.ledger.run(calls.count(["wait"])).models["wait"], self.tasks.values()
        assert counted.submitted == len(tasks)
        assert counted.retried == self.retries
        assert counted.released == self.releases
        assert counted.claimed == sum(len(task.claims) for task in tasks)
        assert counted.lost == sum(task.losses for task in tasks)
        ended = sum(counted.ended.values())
        assert counted.submitted + counted.retried == counted.queued + counted.running + ended
        assert sum(counted.whole_ms.buckets) == ended
        assert sum(counted.run_ms.buckets) == sum(counted.wait_ms.buckets) <= ended

    def teardown(self) -> None:
        """Whatever was lost on the way, a worker that does nothing but follow messages comes to every queued task."""
        for _ in range(3 * len(self.tasks) + 3):
            self.reap()
            text = self._pop()
            if text is not None:
                self.claim(json.loads(text)["headers"]["id"], again=False)
        assert not [task for task in self.tasks.values() if task.status is Status.QUEUED]

    def _pop(self) -> bytes | None:
        """Take the next message as a worker does: of the most urgent there is."""
        popped = (self.ledger.client.rpop(list_key("wait", priority)) for priority in reversed(PRIORITIES))
        return next((text for text in popped if text is not None), None)

    def _arrive(self) -> int:
        self.arrivals += 1
        return self.arrivals

    def _nonce(self, id: str, which: int) -> str:
        nonces = self.tasks[id].nonces
        return nonces[which % len(nonces)] if nonces else str(uuid4())

    def _claim(self, id: str, which: int) -> Claim:
        claims = self.tasks[id].claims
        return claims[which % len(claims)] if claims else Claim(id, which, "wait", b"")


@pytest.mark.parametrize("examples", [80])
def test_the_ledger_agrees_with_the_reference(ledger: Ledger, examples: int) -> None:
    machine = type("Machine", (LedgerMachine,), {"ledger": ledger})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
