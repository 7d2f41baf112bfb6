"""What follows from what the server says of itself. Pure."""

from collections.abc import Mapping
from typing import Any

from cli.doctor.finding import Finding, fail, ok, size, span, warn
from cli.doctor.sight import ServerSight
from shared.server import complaints

NEARLY_FULL, FULL = 0.8, 0.95  # of maxmemory
LARGE = 0.5  # of the machine's memory, without a maxmemory: a rewrite of the file may take as much again
CLOCK_MATTERS_MS, CLOCK_BREAKS_MS = 5_000, 300_000  # receivers of callbacks refuse what is signed five minutes off
UNSEEN = "the server may not be asked ({command} is forbidden to this user)"
ALLOW = "ask as a user who may, such as penstock-doctor of deploy/redis/users.acl"


def judge_server(sight: ServerSight) -> list[Finding]:
    """Return a finding each of version, persistence, memory, lists and clock."""
    return [
        *_kind(sight.info),
        _persistence(sight.info, sight.config),
        _memory(sight.info),
        _lists(sight.config),
        _clock(sight.ahead_ms, sight.within_ms),
    ]


def _kind(info: Mapping[str, Any] | None) -> list[Finding]:
    if info is None:
        return [warn("redis", f"version and eviction policy are not known; {UNSEEN.format(command='INFO')}", ALLOW)]
    found = complaints(info)
    if found:
        return [fail("redis", complaint) for complaint in found]
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        said = f"{_version(info)}, and its maxmemory-policy is {policy}: harmless only as long as it has no maxmemory"
        return [warn("redis", said, "set maxmemory-policy noeviction")]
    return [ok("redis", f"{_version(info)}, a primary that evicts nothing")]


def _version(info: Mapping[str, Any]) -> str:
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info.get('redis_version', 'of an unknown version')}"


def _persistence(info: Mapping[str, Any] | None, config: Mapping[str, str] | None) -> Finding:
    check = "persistence"
    if info is None or "aof_enabled" not in info:
        return warn(check, f"not known; {UNSEEN.format(command='INFO')}", ALLOW)
    if not info["aof_enabled"]:
        lost = "what was accepted since the latest snapshot is lost" if _snapshots(config) else "everything is lost"
        return fail(check, f"the append-only file is off: {lost} when the server ends", "set appendonly yes")
    if info.get("aof_last_write_status", "ok") != "ok":
        return fail(check, "writing the append-only file fails", "look whether its disk is full; submits are refused")
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        return fail(
            check,
            "the latest snapshot failed; unless told otherwise the server then refuses submits",
            "look into its log: disk full, or too little memory for a copy of itself",
        )
    if info.get("aof_last_bgrewrite_status", "ok") != "ok":
        advice = "look into the server's log: disk full, or too little memory for a copy of itself"
        return fail(check, "the latest rewrite of the append-only file failed, so it grows", advice)
    return _fsync(None if config is None else config.get("appendfsync"))


def _snapshots(config: Mapping[str, str] | None) -> bool:
    return config is None or bool(config.get("save"))


def _fsync(policy: str | None) -> Finding:
    check = "persistence"
    if policy == "always":
        return ok(check, "append-only file, written to disk before each answer")
    if policy == "no":
        said = "append-only file, written to disk when the system likes: a power cut costs what it had not"
        return warn(check, said, "set appendfsync everysec, or always")
    if policy is None:
        return ok(check, f"append-only file; how often it is synced is not known: {UNSEEN.format(command='CONFIG')}")
    return ok(check, "append-only file, on disk within a second: a power cut costs that much, a crash nothing")


def _memory(info: Mapping[str, Any] | None) -> Finding:
    check = "memory"
    if info is None or "used_memory" not in info:
        return warn(check, f"not known; {UNSEEN.format(command='INFO')}", ALLOW)
    used, limit = int(info["used_memory"]), int(info.get("maxmemory") or 0)
    if not limit:
        return _unlimited(used, int(info.get("total_system_memory") or 0))
    counted = max(used - int(info.get("mem_not_counted_for_evict") or 0), 0)
    said = f"{size(counted)} of maxmemory {size(limit)} used ({counted / limit:.0%})"
    advice = "raise maxmemory, shorten PENSTOCK_RETENTION_SECONDS, or lower PENSTOCK_MAX_QUEUED"
    if counted >= FULL * limit:
        return fail(check, f"{said}; when it is full submits are refused", advice)
    return warn(check, said, advice) if counted >= NEARLY_FULL * limit else ok(check, said)


def _unlimited(used: int, machine: int) -> Finding:
    said = f"{size(used)} used, no maxmemory"
    if machine and used > LARGE * machine:
        advice = "set maxmemory: at the end of its memory the system kills the server, rather than it refusing submits"
        return warn("memory", f"{said}, on a machine of {size(machine)}", advice)
    return ok("memory", f"{said}, on a machine of {size(machine)}" if machine else said)


def _lists(config: Mapping[str, str] | None) -> Finding:
    check = "messages"
    depth = None if config is None else config.get("list-compress-depth")
    if depth is None:
        return warn(check, f"list-compress-depth is not known; {UNSEEN.format(command='CONFIG')}", ALLOW)
    if depth == "0":
        said = "kept as they are: a queued task takes twice the memory that it need"
        return warn(check, said, "set list-compress-depth 1; it goes for lists that are made from then on")
    return ok(check, "kept compressed")


def _clock(ahead_ms: float, within_ms: float) -> Finding:
    check, off = "clock", max(abs(ahead_ms) - within_ms, 0.0)
    if off < CLOCK_MATTERS_MS:
        return ok(check, f"the server's and this machine's agree, within {span(max(abs(ahead_ms), within_ms, 1))}")
    said = f"the server's is {span(abs(ahead_ms))} {'ahead of' if ahead_ms > 0 else 'behind'} this machine's"
    advice = "have both set by NTP; no lease depends on it, the times in documents are the server's"
    if off < CLOCK_BREAKS_MS:
        return warn(check, said, advice)
    return fail(check, f"{said}: if the API's is like this one, its callbacks are refused as forged", advice)
