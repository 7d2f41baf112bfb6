from itertools import product

from shared.task import FINAL, TRANSITIONS, Action, Status, may


def test_the_last_three_statuses_are_final() -> None:
    assert {Status.SUCCEEDED, Status.FAILED, Status.CANCELED} == FINAL


def test_no_action_leaves_a_final_status() -> None:
    assert not any(may(action, final, after) for action, final, after in product(Action, FINAL, Status))


def test_only_a_claim_makes_a_task_run() -> None:
    assert {action for action, before in product(Action, Status) if may(action, before, Status.RUNNING)} == {
        Action.CLAIM
    }


def test_every_action_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(Action)
