"""What must hold whatever is done to the system. Pure: each is a function of what was observed."""

from collections.abc import Callable

from tests.faults.attempts import (
    an_attempt_has_a_cause,
    an_execution_is_an_attempt,
    losses_are_limited,
    one_attempt_publishes,
    what_is_computed_was_claimed,
    who_died_in_a_batch_is_alone,
)
from tests.faults.availability import (
    answers_are_expected,
    no_request_hangs,
    no_slot_is_lost,
    nobody_ends_unasked,
    recovery_is_bounded,
    what_was_accepted_is_known,
)
from tests.faults.endings import (
    a_cancellation_holds,
    a_final_state_is_final,
    a_result_is_its_inputs,
    an_outcome_is_allowed,
    every_task_becomes_final,
)
from tests.faults.observations import History
from tests.faults.violation import Violation, Violations

INVARIANTS: tuple[Callable[[History], Violations], ...] = (
    every_task_becomes_final,
    a_final_state_is_final,
    a_result_is_its_inputs,
    an_outcome_is_allowed,
    a_cancellation_holds,
    one_attempt_publishes,
    an_execution_is_an_attempt,
    what_is_computed_was_claimed,
    an_attempt_has_a_cause,
    losses_are_limited,
    who_died_in_a_batch_is_alone,
    what_was_accepted_is_known,
    answers_are_expected,
    no_request_hangs,
    no_slot_is_lost,
    nobody_ends_unasked,
    recovery_is_bounded,
)


def violations(history: History) -> list[Violation]:
    """Return everything that must not happen and did."""
    return [found for invariant in INVARIANTS for found in invariant(history)]
