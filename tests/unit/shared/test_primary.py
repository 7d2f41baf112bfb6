from typing import Any

import pytest

from shared.ledger.primary import BELIEVED_SECONDS, Primary, PrimaryUnknownError, Round, named, next_look

ONE = ("one", 1)
UP = {"is_master": True, "is_sdown": False, "is_odown": False, "ip": "one", "port": 1, "config-epoch": 3}
OLD, NEW = Primary("one", 1, 3), Primary("two", 2, 4)


@pytest.mark.parametrize(
    ("state", "found"),
    [({}, OLD), ({"is_sdown": True}, None), ({"is_odown": True}, None), ({"is_master": False}, None)],
)
def test_a_primary_that_its_sentinel_cannot_reach_is_none(state: dict[str, Any], found: Primary | None) -> None:
    assert named(UP | state, ONE) == found


def test_a_sentinel_knows_the_new_primary_before_the_failover_is_over() -> None:
    assert named(UP | {"is_sdown": True}, ("two", 2)) == NEW


def test_the_first_answer_is_taken() -> None:
    round = Round("mine", None)
    assert round.hear(OLD)
    assert round.result() == OLD


def test_an_answer_older_than_one_heard_before_is_taken_only_if_nobody_knows_better() -> None:
    alone, contradicted = Round("mine", NEW), Round("mine", NEW)
    assert not alone.hear(OLD)
    assert not contradicted.hear(OLD)
    assert contradicted.hear(NEW)
    assert (alone.result(), contradicted.result()) == (OLD, NEW)


def test_who_names_no_primary_is_listed_with_the_reason() -> None:
    round = Round("mine", None)
    round.fail("one:1", ConnectionError("refused"))
    assert not round.hear(None)
    with pytest.raises(PrimaryUnknownError, match=r"a primary mine \(one:1: refused; says that it is down\)"):
        round.result()


def test_sentinels_are_asked_seldom_while_they_are_slow() -> None:
    assert next_look(10.0, 10.001) == 10.001 + BELIEVED_SECONDS
    assert next_look(10.0, 11.0) == 21.0
