"""One child that serves the crowd model, unless a test says otherwise."""

import pytest

from tests.integration.crowd import CROWD


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "PENSTOCK_MODELS": str(CROWD), "PENSTOCK_CONCURRENCY": "1"}
