"""What the doctor says: findings, a line each. Pure."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class Word(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"  # it works, and somebody should know; or it cannot be seen
    FAIL = "fail"  # tasks wait or are lost because of it, or will be


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what it is of, how it came out, what was found, and what to do about it."""

    check: str
    word: Word
    found: str
    advice: str = ""


def ok(check: str, found: str) -> Finding:
    """Return a finding that nothing need be done about."""
    return Finding(check, Word.OK, found)


def warn(check: str, found: str, advice: str = "") -> Finding:
    """Return a finding to think about."""
    return Finding(check, Word.WARN, found, advice)


def fail(check: str, found: str, advice: str = "") -> Finding:
    """Return a finding to do something about."""
    return Finding(check, Word.FAIL, found, advice)


def is_well(findings: Sequence[Finding]) -> bool:
    """Tell whether nothing failed."""
    return all(finding.word is not Word.FAIL for finding in findings)


def as_text(findings: Sequence[Finding]) -> str:
    """Return the findings, a line each: word, check, what was found, what to do."""
    width = max((len(finding.check) for finding in findings), default=0)
    return "\n".join(_line(finding, width) for finding in findings)


def as_json(findings: Sequence[Finding]) -> str:
    """Return the findings on one line, for a program."""
    return json.dumps({"ok": is_well(findings), "findings": [asdict(finding) for finding in findings]})


def span(ms: float) -> str:
    """Say how long something is, in two figures at most: 850 ms, 12 s, 5 min, 3 h, 2 d."""
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")):
        if ms >= 2 * size or (unit == "s" and ms >= size):
            return f"{ms / size:.0f} {unit}"
    return f"{ms:.0f} ms"


def size(bytes: float) -> str:
    """Say how much memory something takes: 900 KiB, 1.2 GiB. Redis means the same by its 2gb."""
    for unit, step in (("GiB", 1 << 30), ("MiB", 1 << 20)):
        if bytes >= step:
            return f"{bytes / step:.1f} {unit}"
    return f"{bytes / 1024:.0f} KiB"


def counted(number: int, thing: str, things: str = "") -> str:
    """Say how many there are of something: 1 worker, 3 workers."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def _line(finding: Finding, width: int) -> str:
    said = f"{finding.found}: {finding.advice}" if finding.advice else finding.found
    return f"{finding.word:<4}  {finding.check:<{width}}  {' '.join(said.split())}"
