"""What follows from what the ledger says: of models and their workers, of leases, of callbacks. Pure."""

from collections.abc import Collection, Iterable, Sequence

from cli.doctor.finding import Finding, counted, fail, ok, span, warn
from shared.ledger.checkup import Checkup, ModelState, OutboxState

LONG_WAIT_MS = 300_000
IDLE_MS = 10_000  # a task may wait so long beside a free slot: a lost message is sent again within 5 s
UNREAPED_MS = 5_000  # a reaper looks every second, and acts 1.5 s after it has first seen an expired lease
UNDELIVERED_MS = 10_000  # a courier looks twice a second, and is held up by 32 slow receivers at most
MANY_TRIES = 5
NAMED = 5  # workers that are called by their names


def judge_work(checkup: Checkup, served: Collection[str]) -> list[Finding]:
    """Return a finding of the workers, of each model, of leases and of callbacks. `served` are the API's models."""
    known = {state.name for state in checkup.models}
    absent = [ModelState(name, 0, 0, 0, 0, 0, ()) for name in served if name not in known]
    models = [state for state in (*checkup.models, *absent) if _concerns_us(state, served)]
    return [
        _workers(checkup.models),
        *(_model(state) for state in models),
        _leases(checkup.models),
        _callbacks(checkup.outbox),
    ]


def worker_names(models: Iterable[ModelState]) -> list[str]:
    """Return the names of all workers, each once."""
    return sorted({worker.name for state in models for worker in state.workers})


def some(names: Sequence[str]) -> str:
    """Return names with commas between them, the first few of many."""
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + rest


def _concerns_us(state: ModelState, served: Collection[str]) -> bool:
    """Tell whether a model is still in use: the ledger remembers all that ever were."""
    return state.name in served or bool(state.workers or state.queued or state.running)


def _workers(models: Sequence[ModelState]) -> Finding:
    names = worker_names(models)
    if not names:
        return warn("workers", "none is announced, so nothing runs", "start one: penstock worker")
    slots = {worker.name: worker.slots for state in models for worker in state.workers}
    return ok("workers", f"{counted(len(names), 'worker')}, {counted(sum(slots.values()), 'slot')}: {some(names)}")


def _model(state: ModelState) -> Finding:
    check = f"model {state.name}"
    queue = f"{state.queued:,} queued, the oldest for {span(state.oldest_ms)}" if state.queued else "nothing queued"
    if not state.workers:
        advice = f"start a worker that has {state.name} in PENSTOCK_MODELS"
        judge = fail if state.queued else warn
        return judge(check, f"no worker; {queue}", advice)
    said = f"{state.free} of {counted(state.slots, 'slot')} free; {queue}"
    if state.free and state.oldest_ms > IDLE_MS:
        return warn(check, said, "look again; if slots stay free, look into the workers' logs, and restart them")
    if state.oldest_ms > LONG_WAIT_MS:
        return warn(check, said, "start more workers, or children, if that is too long")
    return ok(check, said)


def _leases(models: Sequence[ModelState]) -> Finding:
    expired, longest = sum(state.expired for state in models), max((state.expired_ms for state in models), default=0)
    running = sum(state.running for state in models)
    if longest <= UNREAPED_MS:
        past = f"{expired} past the lease, for a moment" if expired else "none past its lease"
        return ok("leases", f"{counted(running, 'task runs', 'tasks run')}, {past}")
    said = f"{counted(expired, 'lease')} ended up to {span(longest)} ago, and nobody has taken the tasks back"
    if not worker_names(models):
        return fail("leases", said, "start a worker, of any model: each takes back what others have lost")
    return fail("leases", said, "the workers do not reap: look into their logs, and restart them")


def _callbacks(outbox: OutboxState) -> Finding:
    if not outbox.waiting:
        return ok("callbacks", "none waits")
    said = counted(outbox.waiting, "callback waits", "callbacks wait")
    if outbox.overdue_ms > UNDELIVERED_MS:
        advice = "run an API with PENSTOCK_CALLBACK_HOSTS, which delivers them; if one does, look into its log"
        return fail("callbacks", f"{said}, due for {span(outbox.overdue_ms)}, and nobody delivers", advice)
    if outbox.tries >= MANY_TRIES:
        advice = "`callback.answer` in the task's document says how its receiver answered"
        return warn(
            "callbacks", f"{said}, some of which {outbox.tries} tries have not brought to their receivers", advice
        )
    return ok("callbacks", f"{said} for the next try")
