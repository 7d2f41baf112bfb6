import pytest

from api.ledger import BoundedLedger
from tests.unit.api.scripted import Scripted


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
def ledger(scripted: Scripted) -> BoundedLedger:
    return BoundedLedger(scripted, [].append)  # type: ignore[arg-type]
