"""What follows for replicas and the sentinels that watch them (docs/high_availability.md). Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cli.doctor.finding import Finding, counted, fail, ok, warn
from cli.doctor.sight import SentinelSight

LATE_SECONDS = 10  # since a replica last said how far it is; each does once a second


def judge_replicas(
    info: Mapping[str, Any] | None, config: Mapping[str, str] | None, acknowledged: int, *, are_watched: bool
) -> list[Finding]:
    """Return a finding of the replicas of a primary; none of a server that has none and is to have none.

    `acknowledged` is PENSTOCK_REPLICAS_ACK, and `are_watched` says whether sentinels watch over them.
    """
    if info is None:
        return []
    replicas = [value for name, value in info.items() if re.fullmatch(r"slave\d+", name)]
    online = [replica for replica in replicas if replica.get("state") == "online"]
    needed = int((config or {}).get("min-replicas-to-write", 0))
    if not (replicas or acknowledged or needed or are_watched):
        return []
    said = counted(len(online), "replica follows", "replicas follow")
    if len(replicas) > len(online):
        said += f", and {len(replicas) - len(online)} more being copied to"
    return [
        _shortage(said, len(online), acknowledged)
        or _closed(said, int(info.get("min_slaves_good_slaves", len(online))), needed)
        or _risk(said, online, acknowledged, are_watched=are_watched)
        or ok("replicas", said)
    ]


def judge_sentinels(sights: Sequence[SentinelSight]) -> list[Finding]:
    """Return a finding of all sentinels that the URL names; none if it names none."""
    if not sights:
        return []
    check, answering = "sentinels", [sight for sight in sights if sight.primary]
    trouble = "; ".join(f"{sight.place}: {sight.trouble}" for sight in sights if sight.trouble)
    if not answering:
        return [fail(check, f"none names a primary ({trouble})", "a connection that breaks now cannot be made again")]
    named = sorted({sight.primary for sight in answering})
    if len(named) > 1:
        advice = "a moment after a failover that is so; if it stays, look which of them the others have lost"
        return [fail(check, f"they name different primaries: {', '.join(named)}", advice)]
    if any(sight.is_without_quorum for sight in answering):
        return [fail(check, f"a primary that dies would not be replaced ({trouble})", "bring the other sentinels back")]
    said = f"{len(answering)} of {len(sights)} name {named[0]} as the primary"
    return [warn(check, f"{said} ({trouble})") if trouble else ok(check, f"{said}, and could replace it")]


def _shortage(said: str, online: int, acknowledged: int) -> Finding | None:
    if online >= acknowledged:
        return None
    found = f"{said}, and PENSTOCK_REPLICAS_ACK asks for {acknowledged}: every submit is answered 503"
    return fail("replicas", found, "bring replicas back, or lower it")


def _closed(said: str, good: int, needed: int) -> Finding | None:
    if good >= needed:
        return None
    found = f"{said}, {good} of them in time, and min-replicas-to-write is {needed}: nothing can be written"
    return fail("replicas", found, "bring replicas back")


def _risk(said: str, online: Sequence[Mapping[str, Any]], acknowledged: int, *, are_watched: bool) -> Finding | None:
    if are_watched and not online:
        return warn("replicas", said, "if the primary dies the sentinels have nobody to put in its place")
    if acknowledged and len(online) == acknowledged:
        advice = "have one more than PENSTOCK_REPLICAS_ACK: the loss of one stops all submits"
        return warn("replicas", said, advice)
    latest = max((int(replica.get("lag", 0)) for replica in online), default=0)
    if latest > LATE_SECONDS:
        found = f"{said}; the last word of one came {latest} s ago"
        return warn("replicas", found, "a failover loses what it has not heard: look at its load and its network")
    return None
