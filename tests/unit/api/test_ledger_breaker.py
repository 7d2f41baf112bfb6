import pytest
from redis.exceptions import AuthenticationError, BusyLoadingError, OutOfMemoryError, ReadOnlyError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from api.breaker import Breaker, CannotReach, Position


def test_the_first_call_that_does_not_reach_it_is_news_and_the_others_are_not() -> None:
    breaker = Breaker()
    assert breaker.is_closed
    assert [breaker.doubt() for _ in range(3)] == [True, False, False]
    assert breaker.position is Position.DOUBTED


@pytest.mark.parametrize(
    ("looks", "position"), [([True], "closed"), ([False, False], "open"), ([False, True], "closed")]
)
def test_then_the_probe_decides(looks: list[bool], position: str) -> None:
    breaker = Breaker()
    breaker.doubt()
    for answered in looks:
        breaker.probed(answered=answered)
    assert breaker.position == position
    assert breaker.doubt() is (position == "closed")


def test_a_late_failure_does_not_bring_an_open_one_into_doubt() -> None:
    breaker = Breaker()
    breaker.doubt()
    breaker.probed(answered=False)
    assert not breaker.doubt()
    assert breaker.position is Position.OPEN


def test_a_server_that_answers_is_reached() -> None:
    for error in (
        RedisConnectionError(),
        BusyLoadingError(),
        AuthenticationError(),
        RedisTimeoutError(),
        TimeoutError(),
    ):
        assert isinstance(error, CannotReach)
    for refusal in (OutOfMemoryError(), ReadOnlyError()):
        assert not isinstance(refusal, CannotReach)
