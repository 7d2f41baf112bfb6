import json
from pathlib import Path
from uuid import UUID

from bench.depth import compared
from bench.marathon import SIZES, Sample, ends_in, growth, outcome, over_time, shares
from bench.weight import WHOLE, between, label
from shared.queue import list_key

ONE, OTHER, THIRD = (str(UUID(int=number)) for number in range(1, 4))


def sample(second: float, submitted: int, keys: float) -> Sample:
    return Sample(second, submitted, (*(0.0,) * (len(SIZES) - 1), keys), ended=0, overdue=0)


def finished(id: str, *, accepted: bool = True, outcome: str = "succeeded") -> str:
    return json.dumps({"event": "finished", "task_id": id, "accepted": accepted, "outcome": outcome})


def test_shares_add_up() -> None:
    assert shares(25, 10) == [10, 10, 5]


def test_every_end_is_counted_by_its_task(tmp_path: Path) -> None:
    log = tmp_path / "log"
    killed = json.dumps({"event": "killed the child", "task_id": THIRD})
    lines = [finished(ONE), finished(OTHER), finished(OTHER), finished(ONE, accepted=False), killed, '{"event": "x"}']
    log.write_text("\n".join(lines))
    rows = {str(name): value for name, value in outcome(4, 1.0, ends_in(log)).rows}
    assert rows["succeeded exactly once"] == 1
    assert rows["succeeded more than once"] == 1
    assert rows["other ends"] == 1
    assert rows["child killed before it could say which"] == 1
    assert rows["no word of them"] == 1


def test_growth_is_told_for_100000_tasks() -> None:
    table = growth([sample(0, 0, 10), sample(1, 200_000, 30)])
    assert table.rows[0][1 + SIZES.index("keys")] == 10


def test_a_pace_is_that_since_the_row_before() -> None:
    table = over_time("a run", [sample(0, 0, 0), sample(2, 300, 0), sample(3, 700, 0)])
    assert [row[2] for row in table.rows] == [0, 150, 400]


def test_a_deep_queue_is_compared_with_a_short_one() -> None:
    assert compared([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]) == [4.0, 2.0, 6.0, 2.0, 2.0, 3.0]


def test_keys_are_named_by_what_they_are_for() -> None:
    assert label(list_key("noop").encode()) == "message"
    assert label(b"penstock:queue:noop") == "queue:noop"


def test_what_no_key_has_is_the_rest() -> None:
    assert between({WHOLE: 100.0, "record": 60.0, "message": 30.0}) == 10.0
