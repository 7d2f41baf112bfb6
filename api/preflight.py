"""What is checked before the API listens: that the ledger's server answers, and that it is fit to hold it."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from redis.exceptions import NoPermissionError

from shared.ledger.connection import AsyncLedger, LedgerUnavailable
from shared.server import complaints

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 5.0  # what a server that was started at the same moment may need
PAUSE_SECONDS = 0.2


class UnfitServerError(Exception):
    """The ledger's server does not answer, or cannot hold the ledger. The message is one sentence."""


async def check_server(ledger: AsyncLedger, *, patience: float = PATIENCE_SECONDS) -> None:
    """Wait until the server answers, and check what it says of itself.

    Raises:
        UnfitServerError: it did not answer within `patience` seconds, or has a complaint against it.
    """
    try:
        info = await _info(ledger, patience)
    except NoPermissionError:
        log.warning("the server may not be asked INFO: its version and eviction policy are not checked")
        return
    except LedgerUnavailable as error:
        raise UnfitServerError(f"the server does not answer ({type(error).__name__})") from error
    if found := complaints(info):
        raise UnfitServerError(found[0])


async def _info(ledger: AsyncLedger, patience: float) -> Mapping[str, Any]:
    clock = asyncio.get_running_loop()
    deadline = clock.time() + patience
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                return await ledger.client.info()
        except NoPermissionError:
            raise
        except LedgerUnavailable:
            if clock.time() + PAUSE_SECONDS >= deadline:
                raise
            await asyncio.sleep(PAUSE_SECONDS)
