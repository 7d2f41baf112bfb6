import pytest

from worker.hints import is_id, named_in

TASK = "0b8e7d6c-5a4f-4e3d-8c2b-1a0f9e8d7c6b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0b8e7d6c-5a4f-4e3d-8c2b-1a0f9e8d7c6b", True), ("0B8E7D6C-5A4F-4E3D-8C2B-1A0F9E8D7C6B", False), ("", False)],
)
def test_what_is_a_tasks_id(text: str, expected: bool) -> None:
    assert is_id(text) is expected


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (b'{"headers": {"id": "%b"}}' % TASK.encode(), TASK),
        (b'{"headers": {"id": 7}}', "7"),
        (b'{"headers": {}}', ""),
        (b'{"headers": "id"}', ""),
        (b"[]", ""),
        (b"7", ""),
        (b"", ""),
        (b"\xff", ""),
    ],
)
def test_which_task_a_message_names(message: bytes, named: str) -> None:
    assert named_in(message) == named
