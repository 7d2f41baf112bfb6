from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.environment import SettingsError, load_settings, unknown_variables
from shared.settings import Settings, is_loopback


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # no .env of the developer's
    for name in Settings.model_fields:
        monkeypatch.delenv(f"PENSTOCK_{name.upper()}", raising=False)


def test_the_defaults_serve_this_machine_alone() -> None:
    settings = load_settings()

    assert (settings.api_host, settings.api_port, settings.redis_url) == ("127.0.0.1", 8000, "")
    assert (settings.lease_seconds, settings.max_attempts, settings.retention_seconds) == (10, 3, 86400)
    assert settings.models[0].name == "wait"


def test_the_environment_wins_over_the_file_and_an_override_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("PENSTOCK_API_PORT=1\nPENSTOCK_CONCURRENCY=1\nPENSTOCK_MAX_ATTEMPTS=7\n")
    monkeypatch.setenv("PENSTOCK_API_PORT", "2")
    monkeypatch.setenv("PENSTOCK_CONCURRENCY", "2")

    settings = load_settings(api_port=3, concurrency=None)

    assert (settings.api_port, settings.concurrency, settings.max_attempts) == (3, 2, 7)


def test_a_secret_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "penstock_redis_url").write_text("redis://:secret@host/0\n")
    monkeypatch.setenv("PENSTOCK_SECRETS_DIR", str(tmp_path))

    assert load_settings().redis_url == "redis://:secret@host/0"


@pytest.mark.parametrize(("content", "complaint"), [(b"\xff\xfe", "it is not text in UTF-8"), (None, "Is a directory")])
def test_a_secret_file_that_cannot_be_read_is_told_by_its_variable(
    content: bytes | None, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "penstock_api_keys"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    (tmp_path / "of-someone-else").write_bytes(b"\xff")
    monkeypatch.setenv("PENSTOCK_SECRETS_DIR", str(tmp_path))

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert str(caught.value) == f"PENSTOCK_API_KEYS: the file {file} cannot be read: {complaint}"


def test_models_are_folders_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_MODELS", " /a/one , two,")

    assert load_settings().models == (Path("/a/one"), Path("two"))


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("PENSTOCK_API_PORT", "http", "PENSTOCK_API_PORT: Input should be a valid integer"),
        ("PENSTOCK_API_PORT", "70000", "PENSTOCK_API_PORT: "),
        ("PENSTOCK_API_PROCESSES", "0", "PENSTOCK_API_PROCESSES: Input should be greater than or equal to 1"),
        ("PENSTOCK_CONCURRENCY", "0", "PENSTOCK_CONCURRENCY: "),
        ("PENSTOCK_LEASE_SECONDS", "0.1", "PENSTOCK_LEASE_SECONDS: "),
        ("PENSTOCK_LEASE_SECONDS", "nan", "PENSTOCK_LEASE_SECONDS: "),
        ("PENSTOCK_MODELS", " , ", "PENSTOCK_MODELS: names no folder"),
        ("PENSTOCK_REDIS_URL", "localhost:6379", "PENSTOCK_REDIS_URL: must start with"),
        ("PENSTOCK_AUTH", "maybe", "PENSTOCK_AUTH: "),
        ("PENSTOCK_SECRETS_DIR", "/no/such/place", "PENSTOCK_SECRETS_DIR: /no/such/place is not a directory"),
        ("PENSTOCK_API_HOST", "0.0.0.0", "PENSTOCK_API_HOST is 0.0.0.0"),
    ],
)
def test_a_wrong_setting_is_told_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert str(caught.value).startswith(complaint)
    assert "\n" not in str(caught.value)


def test_every_wrong_setting_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_API_PORT", "x")
    monkeypatch.setenv("PENSTOCK_MAX_ATTEMPTS", "0")

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "PENSTOCK_API_PORT",
        "PENSTOCK_MAX_ATTEMPTS",
    ]


def test_an_open_door_must_be_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_API_HOST", "0.0.0.0")
    monkeypatch.setenv("PENSTOCK_AUTH", "off")

    assert load_settings().api_host == "0.0.0.0"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("localhost", True)]
    + [("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("example.com", False), ("localhost.example", False)],
)
def test_only_loopback_is_this_machine(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        load_settings().api_port = 1  # type: ignore[misc]


def test_a_variable_that_no_setting_reads_is_noticed() -> None:
    environment = {
        "PENSTOCK_API_PROT": "1",
        "PENSTOCK_API_PORT": "1",
        "PENSTOCK_URL": "x",
        "HOME": "/",
        "penstock_x": "",
    }

    assert unknown_variables(environment) == ["PENSTOCK_API_PROT", "penstock_x"]
