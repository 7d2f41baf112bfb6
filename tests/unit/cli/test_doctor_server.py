"""What the doctor says of a server, from what the server says of itself."""

from typing import Any

import pytest

from cli.doctor.finding import Finding, Word
from cli.doctor.server import judge_server
from cli.doctor.sight import ServerSight

GB = 1 << 30
INFO = {
    "redis_version": "7.2.4",
    "valkey_version": "9.1.2",
    "role": "master",
    "cluster_enabled": 0,
    "maxmemory": 2 * GB,
    "maxmemory_policy": "noeviction",
    "used_memory": GB,
    "mem_not_counted_for_evict": 0,
    "total_system_memory": 8 * GB,
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "aof_last_bgrewrite_status": "ok",
    "rdb_last_bgsave_status": "ok",
}
CONFIG = {"appendfsync": "everysec", "list-compress-depth": "1", "save": ""}


def judged(
    info: dict[str, Any] | None = None,
    config: dict[str, str] | None = None,
    *,
    ahead_ms: float = 0.0,
    within_ms: float = 1.0,
) -> dict[str, Finding]:
    """The findings, by check, of a server that is well but for what is given."""
    sight = ServerSight({**INFO, **(info or {})}, {**CONFIG, **(config or {})}, ahead_ms, within_ms)
    return {finding.check: finding for finding in judge_server(sight)}


def test_a_server_that_is_well() -> None:
    found = judged()

    assert {finding.word for finding in found.values()} == {Word.OK}
    assert list(found) == ["redis", "persistence", "memory", "messages", "clock"]
    assert "Valkey 9.1.2" in found["redis"].found


@pytest.mark.parametrize(
    ("info", "check", "word", "said"),
    [
        ({"valkey_version": "", "redis_version": "6.2.1"}, "redis", Word.FAIL, "at least 7.0"),
        ({"maxmemory_policy": "allkeys-lru"}, "redis", Word.FAIL, "could be evicted"),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 0}, "redis", Word.WARN, "no maxmemory"),
        ({"role": "slave"}, "redis", Word.FAIL, "replica"),
        ({"cluster_enabled": 1}, "redis", Word.FAIL, "Cluster"),
        ({"aof_enabled": 0}, "persistence", Word.FAIL, "everything is lost"),
        ({"aof_last_write_status": "err"}, "persistence", Word.FAIL, "writing"),
        ({"aof_last_bgrewrite_status": "err"}, "persistence", Word.FAIL, "rewrite"),
        ({"rdb_last_bgsave_status": "err"}, "persistence", Word.FAIL, "snapshot"),
        ({"used_memory": 1.7 * GB}, "memory", Word.WARN, "85%"),
        ({"used_memory": 1.96 * GB}, "memory", Word.FAIL, "98%"),
        ({"used_memory": 1.96 * GB, "mem_not_counted_for_evict": GB}, "memory", Word.OK, "48%"),
        ({"maxmemory": 0}, "memory", Word.OK, "no maxmemory, on a machine of 8.0 GiB"),
        ({"maxmemory": 0, "used_memory": 5 * GB}, "memory", Word.WARN, "no maxmemory"),
        ({"maxmemory": 0, "total_system_memory": 0}, "memory", Word.OK, "1.0 GiB used"),
    ],
)
def test_what_info_tells(info: dict[str, Any], check: str, word: Word, said: str) -> None:
    finding = judged(info)[check]

    assert (finding.word, said in finding.found) == (word, True), finding
    assert bool(finding.advice) == (word is not Word.OK) or check == "redis"


@pytest.mark.parametrize(
    ("config", "check", "word", "said"),
    [
        ({"appendfsync": "always"}, "persistence", Word.OK, "before each answer"),
        ({"appendfsync": "no"}, "persistence", Word.WARN, "power cut"),
        ({"list-compress-depth": "0"}, "messages", Word.WARN, "twice"),
        ({"list-compress-depth": "2"}, "messages", Word.OK, "compressed"),
    ],
)
def test_what_its_settings_tell(config: dict[str, str], check: str, word: Word, said: str) -> None:
    finding = judged(config=config)[check]

    assert (finding.word, said in finding.found) == (word, True), finding


def test_a_server_with_snapshots_alone_loses_what_came_after_the_latest() -> None:
    found = judged({"aof_enabled": 0}, {"save": "3600 1"})

    assert "since the latest snapshot" in found["persistence"].found


@pytest.mark.parametrize(
    ("ahead_ms", "within_ms", "word"),
    [
        (0, 0, Word.OK),
        (900, 0, Word.OK),
        (-4_900, 0, Word.OK),
        (-6_000, 0, Word.WARN),
        (6_000, 1_500, Word.OK),  # asking took three seconds: it may be four and a half
        (299_000, 0, Word.WARN),
        (-301_000, 0, Word.FAIL),
        (86_400_000, 5, Word.FAIL),
    ],
)
def test_the_clock(ahead_ms: float, within_ms: float, word: Word) -> None:
    finding = judged(ahead_ms=ahead_ms, within_ms=within_ms)["clock"]

    assert finding.word is word, finding
    assert ("behind" in finding.found) == (ahead_ms < 0 and word is not Word.OK)


def test_a_server_that_may_be_asked_nothing_has_failed_in_nothing() -> None:
    found = judge_server(ServerSight(None, None, 0.0, 1.0))

    assert [finding.word for finding in found] == [Word.WARN] * 4 + [Word.OK]
    assert all("not known" in finding.found for finding in found[:4])
    assert all(finding.advice for finding in found[:4])


def test_without_its_settings_the_file_is_still_known_to_be_there() -> None:
    found = {finding.check: finding for finding in judge_server(ServerSight(INFO, None, 0.0, 1.0))}

    assert (found["persistence"].word, found["messages"].word) == (Word.OK, Word.WARN)
    assert "not known" in found["persistence"].found


def test_what_a_hosted_server_hides_is_not_held_against_it() -> None:
    found = judge_server(ServerSight({"redis_version": "7.4.0"}, {}, 0.0, 1.0))

    assert Word.FAIL not in {finding.word for finding in found}
