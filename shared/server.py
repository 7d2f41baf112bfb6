"""What Penstock asks of the Redis or Valkey server that holds the ledger. Pure: judges an INFO answer, asks nothing."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

OLDEST = (7, 0)  # the ledger's scripts declare what they may do when memory is short, which 7.0 brought


def complaints(info: Mapping[str, Any]) -> list[str]:
    """Return, a sentence each, why the server that answered INFO with `info` cannot hold the ledger; empty: it can.

    What the answer does not tell (hosted servers hide some of it) is not held against the server.
    """
    found = [_too_old(info), _evicts(info), _read_only(info), _cluster(info)]
    return [complaint for complaint in found if complaint]


def redacted(url: str) -> str:
    """Return a Redis URL fit for a log: no user, password or query (which may carry either)."""
    try:
        parts = urlsplit(url)
        if "@" in parts.path + parts.query + parts.fragment:  # a password that is not percent-encoded
            return f"{parts.scheme}://***"
        place = parts.netloc.rpartition("@")
        hidden = "***@" if place[1] else ""
        return f"{parts.scheme}://{hidden}{place[2]}{parts.path}"
    except ValueError:
        return f"{url.partition(':')[0]}://***"


def _too_old(info: Mapping[str, Any]) -> str | None:
    version = str(info.get("redis_version") or "")  # Valkey tells here which Redis it is compatible with
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if not numbers or tuple(map(int, numbers.groups())) >= OLDEST:
        return None
    return f"the server is version {version}; at least {OLDEST[0]}.{OLDEST[1]} is needed"


def _evicts(info: Mapping[str, Any]) -> str | None:
    policy = info.get("maxmemory_policy", "noeviction")
    if not info.get("maxmemory") or policy == "noeviction":
        return None
    return f"maxmemory-policy is {policy}, so accepted tasks could be evicted; set it to noeviction"


def _read_only(info: Mapping[str, Any]) -> str | None:
    return "the server is a read-only replica; name its primary" if info.get("role") == "slave" else None


def _cluster(info: Mapping[str, Any]) -> str | None:
    return "the server is a Redis Cluster; the ledger needs a single primary" if info.get("cluster_enabled") else None
