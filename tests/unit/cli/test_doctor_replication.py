"""What the doctor says of replicas and sentinels."""

from typing import Any

import pytest

from cli.doctor.finding import Finding, Word
from cli.doctor.replication import judge_replicas, judge_sentinels
from cli.doctor.sight import SentinelSight

FOLLOWS = {"state": "online", "lag": 1}
COPIED = {"state": "send_bulk", "lag": 0}
ONE, TWO = {"slave0": FOLLOWS}, {"slave0": FOLLOWS, "slave1": FOLLOWS}
NAMES, OTHER = SentinelSight("a:1", "10.0.0.1:6379"), SentinelSight("b:1", "10.0.0.1:6379")
SILENT = SentinelSight("c:1", trouble="refused")


def of_replicas(
    info: dict[str, Any] | None, *, needed: int = 0, acknowledged: int = 0, are_watched: bool = False
) -> list[Finding]:
    return judge_replicas(info, {"min-replicas-to-write": str(needed)}, acknowledged, are_watched=are_watched)


def test_of_a_server_that_is_to_have_none_nothing_is_said() -> None:
    assert of_replicas({"connected_slaves": 0, "slave_read_only": 1}) == []
    assert of_replicas(None, acknowledged=1) == []  # another line says that INFO is forbidden


@pytest.mark.parametrize(
    ("info", "asked", "word", "said"),
    [
        (TWO, {"acknowledged": 1, "needed": 1, "are_watched": True}, Word.OK, "2 replicas follow"),
        (ONE, {}, Word.OK, "1 replica follows"),
        ({"slave0": FOLLOWS, "slave1": COPIED}, {}, Word.OK, "1 replica follows, and 1 more being copied to"),
        ({"slave0": COPIED}, {"acknowledged": 1}, Word.FAIL, "every submit is answered 503"),
        (ONE, {"acknowledged": 2}, Word.FAIL, "PENSTOCK_REPLICAS_ACK asks for 2"),
        ({**TWO, "min_slaves_good_slaves": 1}, {"needed": 2}, Word.FAIL, "1 of them in time"),
        ({}, {"needed": 1}, Word.FAIL, "nothing can be written"),
        ({}, {"are_watched": True}, Word.WARN, "0 replicas follow"),
        (ONE, {"acknowledged": 1}, Word.WARN, "1 replica follows"),
        ({"slave0": {**FOLLOWS, "lag": 11}}, {}, Word.WARN, "11 s ago"),
        ({"slave0": {**FOLLOWS, "lag": 10}}, {}, Word.OK, "1 replica follows"),
    ],
)
def test_what_is_said_of_replicas(info: dict[str, Any], asked: dict[str, Any], word: Word, said: str) -> None:
    (finding,) = of_replicas(info, **asked)

    assert (finding.check, finding.word, said in finding.found) == ("replicas", word, True), finding
    assert bool(finding.advice) == (word is not Word.OK)


@pytest.mark.parametrize(
    ("sights", "word", "said"),
    [
        ([NAMES, OTHER], Word.OK, "2 of 2 name 10.0.0.1:6379 as the primary, and could replace it"),
        ([NAMES, OTHER, SILENT], Word.WARN, "2 of 3 name 10.0.0.1:6379 as the primary (c:1: refused)"),
        ([SILENT], Word.FAIL, "none names a primary (c:1: refused)"),
        ([NAMES, SentinelSight("b:1", "10.0.0.2:6379")], Word.FAIL, "10.0.0.1:6379, 10.0.0.2:6379"),
        ([SentinelSight("a:1", "10.0.0.1:6379", True, "NOQUORUM")], Word.FAIL, "would not be replaced (a:1: NOQUORUM)"),
    ],
)
def test_what_is_said_of_sentinels(sights: list[SentinelSight], word: Word, said: str) -> None:
    (finding,) = judge_sentinels(sights)

    assert (finding.check, finding.word, said in finding.found) == ("sentinels", word, True), finding


def test_without_sentinels_nothing_is_said_of_them() -> None:
    assert judge_sentinels([]) == []
