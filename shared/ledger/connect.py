"""Making a ledger from its URL: how long it waits, how often it tries, and by which connections.

redis-py 8 would try ten times with a socket timeout of five seconds; what is away is told to the caller at once
instead, who knows what to do.
"""

from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from shared.address import parse_address
from shared.ledger.connection import AsyncLedger, Ledger
from shared.ledger.sentinel import (
    AsyncPrimaryConnection,
    AsyncSecurePrimaryConnection,
    AsyncSentinels,
    PrimaryConnection,
    SecurePrimaryConnection,
    Sentinels,
)

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 5.0  # a worker can afford to wait; its leases last longer
API_CONNECT_SECONDS = 0.3
API_ANSWER_SECONDS = 0.5  # design: a request that needs Redis is answered in well under a second
API_CONNECTIONS = 64
SENTINEL_SECONDS, API_SENTINEL_SECONDS = 0.5, 0.2  # to connect to a sentinel, and again to be answered


def connect(url: str, *, name: str, answer_seconds: float = ANSWER_SECONDS, repeats: int = 1) -> Ledger:
    """Make the blocking ledger of one process (or thread); connects at the first call. `name` shows in CLIENT LIST.

    A step whose connection breaks is repeated `repeats` times, at once.

    Raises:
        ValueError: the URL is none of a ledger. The message holds no secret.
    """
    address = parse_address(url)
    options: dict[str, Any] = {
        "client_name": name,
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": answer_seconds,
        # A timeout is not repeated, it would double the wait.
        "retry": Retry(NoBackoff(), repeats, supported_errors=(RedisConnectionError,)),
    }
    if not address.primary:
        return Ledger(redis.Redis.from_url(url, **options), repeats)
    sentinels = Sentinels(address, SENTINEL_SECONDS)
    kind = PrimaryConnection if address.tls is None else SecurePrimaryConnection
    pool = redis.ConnectionPool(connection_class=kind, sentinels=sentinels, **address.server_arguments, **options)
    return Ledger(redis.Redis.from_pool(pool), repeats, sentinels)


def connect_async(url: str, *, name: str, replicas: int = 0) -> AsyncLedger:
    """Make the asynchronous ledger of one API process; connects at the first call.

    What a client is promised counts as written when so many `replicas` have it too.

    Raises:
        ValueError: the URL is none of a ledger. The message holds no secret.
    """
    address = parse_address(url)
    options: dict[str, Any] = {
        "client_name": name,
        "max_connections": API_CONNECTIONS,
        "timeout": API_ANSWER_SECONDS,
        "socket_connect_timeout": API_CONNECT_SECONDS,
        "socket_timeout": API_ANSWER_SECONDS,
        # Connecting is tried once: what does not answer the greeting would be given its time again, which no request
        # has. What breaks later is tried once more by shared.ledger.pipelining.
        "retry": AsyncRetry(NoBackoff(), 0),
    }
    if not address.primary:
        pool = redis.asyncio.BlockingConnectionPool.from_url(url, **options)
        return AsyncLedger(redis.asyncio.Redis.from_pool(pool), API_ANSWER_SECONDS, replicas=replicas)
    sentinels = AsyncSentinels(address, API_SENTINEL_SECONDS)
    kind = AsyncPrimaryConnection if address.tls is None else AsyncSecurePrimaryConnection
    pool = redis.asyncio.BlockingConnectionPool(
        connection_class=kind, sentinels=sentinels, **address.server_arguments, **options
    )
    return AsyncLedger(redis.asyncio.Redis.from_pool(pool), API_ANSWER_SECONDS, sentinels, replicas)
