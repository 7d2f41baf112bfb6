from itertools import product

from shared.task import FINAL, TRANSITIONS, Action, Status, may


def test_the_last_three_statuses_are_final() -> None:
    assert {Status.SUCCEEDED, Status.FAILED, Status.CANCELED} == FINAL


def test_only_a_retry_leaves_a_final_status_and_never_a_success() -> None:
    leaving = {(action, final) for action, final, after in product(Action, FINAL, Status) if may(action, final, after)}
    assert leaving == {(Action.RETRY, Status.FAILED), (Action.RETRY, Status.CANCELED)}


def test_only_a_claim_makes_a_task_run() -> None:
    assert {action for action, before in product(Action, Status) if may(action, before, Status.RUNNING)} == {
        Action.CLAIM
    }


def test_every_action_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(Action)
