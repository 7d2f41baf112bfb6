import hiredis
import pytest

from shared.ledger.payload import LARGE_BYTES, is_large, pack, packed, patience, total

LARGE = b"x" * LARGE_BYTES
COMMANDS = [
    ("ECHO", "é"),
    ("EVALSHA", "digest", 0, "", b"\x00\r\n", 1.5, -3),
    ("EVALSHA", "digest", 0, "id", LARGE, 2, "after"),
    (LARGE, LARGE),
    ("SET", "key", "é" * LARGE_BYTES),
]


@pytest.mark.parametrize(("bytes", "seconds"), [(0, 0.5), (1_000_000, 0.55), (10_000_000, 1.0), (60_000_000, 3.5)])
def test_patience_grows_with_the_payload(bytes: int, seconds: float) -> None:
    assert patience(0.5, bytes) == pytest.approx(seconds)


@pytest.mark.parametrize("command", COMMANDS, ids=range(len(COMMANDS)))
def test_a_command_is_packed_as_any_client_would(command: tuple[str | bytes, ...]) -> None:
    assert b"".join(pack(command)) == hiredis.pack_command(command)


def test_a_large_argument_is_not_copied() -> None:
    before, argument, after = pack(("EVALSHA", "digest", 0, "id", LARGE, 2, "after"))

    assert argument is LARGE
    assert max(len(before), len(after)) < 100


def test_only_a_command_that_is_said_to_be_large_is_packed_in_parts() -> None:
    command = ("ECHO", LARGE)

    assert len(packed(command, 0)) == 1
    assert len(packed(command, len(LARGE))) == 3


def test_what_is_large() -> None:
    assert [is_large(bytes) for bytes in (0, LARGE_BYTES - 1, LARGE_BYTES)] == [False, False, True]


def test_only_payloads_count() -> None:
    assert total([b"1234", "a text", 5, None, b"678"]) == 7
