"""Whether the API and the workers serve the same models. Pure."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from cli.doctor.finding import Finding, counted, fail, ok, warn
from cli.doctor.sight import ApiSight
from cli.doctor.work import some, worker_names
from shared.ledger.checkup import ModelState

SAME = "give the API and every worker the same folders in PENSTOCK_MODELS, and restart those that have another version"


def judge_api(sight: ApiSight) -> Finding:
    """Return a finding of the API itself."""
    if sight.shapes is not None:
        return ok("api", f"answers at {sight.url}, and serves {', '.join(sight.shapes)}")
    if sight.status == HTTPStatus.UNAUTHORIZED:
        return warn("api", f"answers at {sight.url}, and asks for a key", "set PENSTOCK_API_KEY")
    if not sight.is_named and sight.status != HTTPStatus.SERVICE_UNAVAILABLE:
        return warn("api", f"not looked at: none answers at {sight.url}", "name it in PENSTOCK_URL")
    if sight.status is None:
        return fail("api", f"does not answer at {sight.url} ({sight.said})", "start it: penstock api")
    return fail("api", f"answers {sight.status} at {sight.url} ({sight.said})", "look whether its Redis is this one")


def judge_schemas(served: Mapping[str, str] | None, models: Sequence[ModelState]) -> list[Finding]:
    """Return a finding for each model that differs, or one that says that none does.

    `served` are the shapes of the API's models; None if it was not asked.
    """
    found = [
        finding
        for state in models
        if state.workers
        for finding in _of_model(state, None if served is None else served.get(state.name, ""))
    ]
    return found or [_all_well(served, models)]


def _of_model(state: ModelState, expected: str | None) -> list[Finding]:
    """Judge one model. `expected` is the API's shape; empty: the API has no such model; None: it was not asked."""
    check = f"schemas {state.name}"
    shapes = {worker.name: worker.shape for worker in state.workers}
    silent = sorted(name for name, shape in shapes.items() if not shape)
    said = {name: shape for name, shape in shapes.items() if shape}
    found = []
    if expected == "":
        found.append(warn(check, f"served by {some(sorted(shapes))}, and not by the API", SAME))
    elif expected is not None:
        others = sorted(name for name, shape in said.items() if shape != expected)
        if others:
            found.append(fail(check, f"{some(others)} has another version of the model than the API", SAME))
    elif len(set(said.values())) > 1:
        found.append(fail(check, f"the workers {some(sorted(said))} do not have the same version of the model", SAME))
    if silent:
        found.append(warn(check, f"{some(silent)} does not say which version it has", "is it an older Penstock?"))
    return found


def _all_well(served: Mapping[str, str] | None, models: Sequence[ModelState]) -> Finding:
    workers, number = worker_names(models), sum(bool(state.workers) for state in models)
    if not workers:
        return warn("schemas", "nothing to compare: no worker is announced")
    compared = f"{counted(number, 'model')}, the same on {counted(len(workers), 'worker')}"
    if served is None:
        return ok("schemas", f"{compared}; the API was not asked")
    return ok("schemas", f"{compared} and the API")
