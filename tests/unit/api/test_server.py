from typing import Any

import pytest

from shared.server import complaints, redacted

GOOD = {
    "redis_version": "7.2.4",
    "maxmemory": 0,
    "maxmemory_policy": "noeviction",
    "role": "master",
    "cluster_enabled": 0,
}


@pytest.mark.parametrize(
    "info",
    [
        GOOD,
        {},
        GOOD | {"redis_version": "7.0.0"},
        GOOD | {"redis_version": "10.0.1"},
        GOOD | {"redis_version": "unstable"},
        GOOD | {"maxmemory": 1 << 30},
        GOOD | {"maxmemory_policy": "allkeys-lru"},
    ],
)
def test_a_fit_server_has_no_complaint(info: dict[str, Any]) -> None:
    assert complaints(info) == []


@pytest.mark.parametrize(
    ("info", "word"),
    [
        ({"redis_version": "6.2.14"}, "6.2.14"),
        ({"redis_version": "5.9.9"}, "7.0"),
        ({"maxmemory": 1, "maxmemory_policy": "allkeys-lru"}, "allkeys-lru"),
        ({"maxmemory": 1, "maxmemory_policy": "volatile-ttl"}, "noeviction"),
        ({"role": "slave"}, "replica"),
        ({"cluster_enabled": 1}, "Cluster"),
    ],
)
def test_an_unfit_server_is_told_why(info: dict[str, Any], word: str) -> None:
    (complaint,) = complaints(GOOD | info)
    assert word in complaint


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://user:sesame@host:6379/1", "redis://***@host:6379/1"),
        ("rediss://:ses@me@host", "rediss://***@host"),
        ("redis://host/0?password=sesame", "redis://host/0"),
        ("unix:///run/valkey.sock?password=sesame", "unix:///run/valkey.sock"),
        ("redis://[sesame", "redis://***"),
        ("redis://:ses/ame@host", "redis://***"),
        ("redis://:ses?ame@host", "redis://***"),
        ("sentinel://user:sesame@one:1,two:2/mine?sentinel_password=sesame", "sentinel://***@one:1,two:2/mine"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert redacted(url) == shown
