"""The check that every process makes before it starts: the ledger's server answers and can hold a promise."""

import ssl
import time
from collections.abc import Mapping
from typing import Any

import structlog
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, RedisError

from shared.ledger.connect import connect
from shared.server import complaints, redacted

WITHIN_SECONDS = 5.0
PAUSE_SECONDS = 0.25
log = structlog.get_logger()


class StartError(Exception):
    """This process cannot start now, and may another time.

    If it is the server that cannot be used, the message names PENSTOCK_REDIS_URL and holds no password.
    """


def require_usable(url: str, *, within: float = WITHIN_SECONDS) -> None:
    """Return once the server answers and is fit for the ledger.

    Raises:
        StartError: it does not answer within `within` seconds, refuses us, or could lose accepted tasks.
    """
    found = complaints(_first_info(url, within))
    if found:
        raise StartError("\n".join(f"PENSTOCK_REDIS_URL ({redacted(url)}): {complaint}" for complaint in found))


def _first_info(url: str, within: float) -> Mapping[str, Any]:
    ledger = connect(url, name="penstock-start", answer_seconds=1.0)
    give_up = time.monotonic() + within
    try:
        while True:
            try:
                return dict(ledger.client.info())
            except NoPermissionError:
                log.warning("the server may not be asked INFO: its version and eviction policy are not checked")
                return {}
            except (AuthenticationError, AuthorizationError) as error:
                raise StartError(f"PENSTOCK_REDIS_URL ({redacted(url)}): the server refuses us: {error}") from error
            except (RedisError, OSError) as error:
                if (complaint := of_tls(error)) is not None:
                    raise StartError(f"PENSTOCK_REDIS_URL ({redacted(url)}): {complaint}") from error
                if time.monotonic() > give_up:
                    raise StartError(f"PENSTOCK_REDIS_URL ({redacted(url)}) does not answer: {error}") from error
                time.sleep(PAUSE_SECONDS)
    finally:
        ledger.close()


def of_tls(error: BaseException | None) -> str | None:
    """Return what is wrong with TLS if that is the reason of `error`, else None. It will not be right by itself.

    A handshake that ends in the middle is none: a server that starts or stops does that too.
    """
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the server's certificate is not accepted: {error.verify_message}"
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return f"TLS with the server fails: {(error.reason or str(error)).replace('_', ' ').lower()}"
        error = error.__cause__ or error.__context__
    return None
