"""What a run came to, in Markdown; and the story of what went wrong. Pure but for reading the logs."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from tests.faults import logs
from tests.faults.batches import batches, broken_off, hands_of
from tests.faults.observations import MODELS, Fault, History, Task
from tests.faults.recovery import Recovery, deaths, hits, recoveries, runs_of
from tests.faults.run import Options, Result
from tests.faults.schedule import CRASHES
from tests.faults.violation import Violation

COUNTS = ("lost", "stuck", "changed", "wrong", "doubled", "slow", "hung", "ended", "slots")
STORIES = 12  # of violations told in full
AROUND_SECONDS = 3.0


def replay(options: Options, server: str = "") -> str:
    """Return the command that runs the same schedule again."""
    counts = f"SEED={options.seed} FAULTS={options.faults} TASKS={options.tasks} PACE={options.pace:g}"
    more = f" SECONDS={options.seconds:g}" if options.seconds else ""
    return f"make faults {counts}{more}" + (f" SERVER={server.split(maxsplit=1)[0]}" if server else "")


def table(result: Result, found: list[Violation]) -> str:
    """Return the report of a run."""
    history = result.history
    parts = (_by_kind(history), _by_size(history), _by_point(history), _totals(result, found))
    return "\n\n".join("\n".join(part) for part in parts)


def _by_kind(history: History) -> Iterator[str]:
    """Give the recoveries that no other fault disturbed; the bound holds for all, see `recovery_is_bounded`."""
    count = Counter(fault.kind for fault in _all_faults(history))
    hit: dict[str, list[Recovery]] = defaultdict(list)
    for recovery in recoveries(history):
        hit[recovery.fault.kind].append(recovery)
    yield "| fault | count | running tasks hit | hit by nothing else | median recovery, s | worst, s |"
    yield "|---|---:|---:|---:|---:|---:|"
    for kind, times in sorted(count.items()):
        alone = [recovery.seconds for recovery in hit[kind] if recovery.is_undisturbed]
        figures = f"{statistics.median(alone):.2f} | {max(alone):.2f}" if alone else "| "
        yield f"| {kind} | {times} | {len(hit[kind])} | {len(alone)} | {figures} |"


def by_size(history: History) -> Counter[int]:
    """Count the batches by how many tasks were computed together, those of the last probe left out."""
    return Counter(len(run.together) for run in batches(history) if run.at <= history.over)


def _by_size(history: History) -> Iterator[str]:
    sizes = by_size(history)
    yield "| computed together | batches | tasks in them |"
    yield "|---:|---:|---:|"
    yield from (f"| {size} | {count} | {size * count} |" for size, count in sorted(sizes.items()))
    yield f"| all | {sizes.total()} | {sum(size * count for size, count in sizes.items())} |"


def _by_point(history: History) -> Iterator[str]:
    """Count who died at each crash point: also where nobody did."""
    struck = Counter(fault.kind for fault in history.faults)
    yield "| crash point | before | after |"
    yield "|---|---:|---:|"
    for role, steps in CRASHES.items():
        kind = f"crash in a{'n API' if role == 'api' else f' {role}'}"
        for step in steps:
            yield f"| {role}: {step} | {struck[f'{kind}: {step}.before']} | {struck[f'{kind}: {step}.after']} |"


def _all_faults(history: History) -> list[Fault]:
    """Return what was done to the system from outside, and by tasks to those in their batches."""
    return [*history.faults, *broken_off(history, deaths(history.faults))]


def _totals(result: Result, found: list[Violation]) -> Iterator[str]:
    history, kinds = result.history, Counter(violation.kind for violation in found)
    outcomes = Counter(_outcome(task) for task in history.tasks)
    slowest = max((task.final.at - task.accepted for task in history.tasks if task.final), default=0.0)
    yield "| | |"
    yield "|---|---:|"
    yield f"| faults | {len(history.faults)} |"
    yield f"| tasks accepted | {len(history.tasks)} |"
    accepted = Counter(task.asked.model for task in history.tasks)
    yield from (f"| ... of {model} | {accepted[model]} |" for model in MODELS)
    yield from (f"| ... {outcome} | {count} |" for outcome, count in sorted(outcomes.items()))
    yield f"| model executions | {len(history.executions)} |"
    yield f"| HTTP requests | {len(history.answers)} |"
    yield from (f"| **{kind}** | **{kinds[kind]}** |" for kind in COUNTS)
    yield f"| the observer stood still, s | {sum(pause.seconds for pause in history.pauses):.1f} |"
    yield f"| longest from accepted to final, s | {slowest:.1f} |"
    yield f"| server | {result.server} |"
    yield f"| seed | {result.options.seed} |"
    yield f"| duration, s | {result.seconds:.0f} |"


def _outcome(task: Task) -> str:
    if task.final is None:
        return "not final"
    document = task.final.document
    return document["error"]["code"] if document["error"] else document["status"]


def story(result: Result, found: list[Violation]) -> str:
    """Tell what was violated, each with its task's history, and how to see it again."""
    told = [part for violation in found[:STORIES] for part in _tell(result, violation)]
    if len(found) > STORIES:
        told.append(f"... and {len(found) - STORIES} more")
    return "\n".join(
        [
            f"{len(found)} violations with seed {result.options.seed}; again with:",
            f"  {replay(result.options, result.server)}",
            f"logs: {result.logs}",
            *told,
        ]
    )


def slowest(result: Result) -> str:
    """Tell the history of the task that took longest to become final."""
    final = [task for task in result.history.tasks if task.final]
    task = max(final, key=lambda task: task.final.at - task.accepted)
    return "\n".join(_tell(result, Violation("slowest", "of all tasks; no violation", task)))


def _tell(result: Result, violation: Violation) -> Iterable[str]:
    yield ""
    yield f"{violation.kind}: {violation.sentence}"
    if violation.task:
        lines = sorted(_events(result.history, violation.task))
        yield from (f"  {at:.3f} {line}" for at, line in lines)
        yield from (f"  {line}" for line in logs.about(violation.task.id, result.logs.glob("*.log")))


def _events(history: History, task: Task) -> Iterator[tuple[float, str]]:
    yield task.accepted, f"accepted: {task.asked}"
    for sighting in task.sightings:
        document = {key: value for key, value in sighting.document.items() if key not in ("links", "model")}
        yield sighting.at, f"seen: {document}"
    for run in history.executions:
        if run.token == task.asked.token:
            company = f" with {', '.join(run.together)}" if run.is_batch else ""
            yield run.at, f"runs in {run.pid}, child of {run.parent}{company}"
    yield from (
        (hand.at, f"won by {hand.pid}, one of {len(hand.claims)}") for _, hand in hands_of(history).get(task.id, [])
    )
    last = task.sightings[-1].at
    for pause in history.pauses:
        if task.began < pause.began < last:
            yield pause.began, f"the observer stood still for {pause.seconds:.1f} s"
    yield from ((fault.struck, f"fault: {_brief(fault)}") for fault in _faults_around(history, task))


def _faults_around(history: History, task: Task) -> list[Fault]:
    """Return the faults that hit a task, and the outages of its time."""
    run = next(run for run in runs_of(history) if run.task is task)
    first, last = task.began - AROUND_SECONDS, task.sightings[-1].at
    around = [fault for fault in _all_faults(history) if fault.harmless_from > first and fault.struck < last]
    return [fault for fault in around if fault.hinders or fault.api or hits(fault, run)]


def _brief(fault: Fault) -> str:
    pids = ", ".join(map(str, sorted(fault.pids)))
    return (
        f"{fault.kind} {fault.api}, over at {fault.ended:.3f}, restored at {fault.harmless_from:.3f}, processes {pids}"
    )
