"""The embedded server's places and options."""

import os
from pathlib import Path

import pytest

from cli.embedded import EmbeddedError, find_server, fits, make_data_dir, ping, server_program, socket_path, socket_url


def test_the_data_directory_is_its_owners_only(tmp_path: Path) -> None:
    made = make_data_dir(tmp_path / "a" / "data")
    assert made.is_absolute()
    assert made.stat().st_mode & 0o777 == 0o700


def test_a_data_directory_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match=r"^PENSTOCK_DATA_DIR: .* cannot be made"):
        make_data_dir(tmp_path / "file" / "data")


def test_a_short_path_keeps_its_socket() -> None:
    with socket_path(Path("/short")) as path:
        assert path == Path("/short/valkey.sock")


def test_a_long_path_gets_a_short_private_socket_that_is_removed() -> None:
    with socket_path(Path("/" + "long" * 40)) as path:
        assert fits(path)
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not path.parent.exists()


def test_the_limit_counts_bytes() -> None:
    assert fits(Path("/" + "x" * 99))
    assert not fits(Path("/" + "é" * 60))


def test_a_socket_url_quotes_what_a_url_cannot_hold() -> None:
    assert socket_url(Path("/my data/50%?.sock")) == "unix:///my%20data/50%25%3F.sock"


def test_the_server_keeps_everything_and_refuses_rather_than_evicts(tmp_path: Path) -> None:
    program = server_program(
        Path("valkey-server"), data_dir=tmp_path, socket=tmp_path / "s", environment=os.environ, lock=5
    )
    options = dict(zip(program.command[1::2], program.command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--port"] == "0"
    assert program.kept_files == (5,)


def test_without_any_server_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.embedded._from_wheel", lambda: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EmbeddedError, match=r"^PENSTOCK_REDIS_URL: ") as caught:
        find_server()
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there_does_not_answer(tmp_path: Path) -> None:
    assert ping(socket_url(tmp_path / "nobody.sock")) == "the embedded server does not answer"
