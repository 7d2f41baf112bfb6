"""Every setting of Penstock: one frozen object per process, built in the entry points and passed down.

Each field is the environment variable of the same name with the prefix PENSTOCK_ (`redis_url` is PENSTOCK_REDIS_URL);
a `.env` file and a secrets directory (PENSTOCK_SECRETS_DIR) are read too, the environment winning.
"""

import ipaddress
import sys
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.address import parse_address, require_files
from shared.cpus import usable_cpus
from shared.keys import KeyLine, parse_lines
from shared.outward import Rule, parse_rules

PREFIX = "PENSTOCK_"
SHORTEST_SECRET = 32
SHIPPED_MODELS = Path(__file__).resolve().parent.parent / "models"
# rapidocr-onnxruntime has no release for Python 3.13: there the default leaves it out.
DEFAULT_MODELS = ("wait", "digits", "ocr") if sys.version_info < (3, 13) else ("wait", "digits")


class Settings(BaseSettings):
    """What every process of one installation agrees on, unless told otherwise on its command line."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    redis_url: Annotated[
        str,
        Field(description="redis://, rediss://, unix:// or sentinel:// URL of the ledger; empty: an embedded server"),
    ] = ""
    replicas_ack: Annotated[
        int,
        Field(ge=0, le=100, description="how many replicas must have a task before its client is told 202; 0: none"),
    ] = 0
    data_dir: Annotated[Path, Field(description="where the embedded server keeps its data")] = Path(".penstock")
    models: Annotated[
        tuple[Path, ...],
        NoDecode,
        Field(description="comma-separated model folders; the first is the default"),
    ] = tuple(SHIPPED_MODELS / name for name in DEFAULT_MODELS)
    api_host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    api_port: Annotated[int, Field(ge=0, le=65535)] = 8000
    api_processes: Annotated[int, Field(ge=1, le=256, description="processes that serve the API on that address")] = 1
    auth: Annotated[
        Literal["loopback", "off"],
        Field(
            description="without keys: loopback: serve this machine only; off: serve anyone who can reach the address"
        ),
    ] = "loopback"
    api_keys: Annotated[
        str, Field(repr=False, description="name:sha256hex, separated by commas or lines; `penstock keys new NAME`")
    ] = ""
    concurrency: Annotated[
        int, Field(ge=1, le=1024, description="children per worker; empty: one for each CPU that it may use")
    ] = Field(default_factory=usable_cpus)
    lease_seconds: Annotated[float, Field(ge=1, le=3600, description="how long a claim is believed")] = 10.0
    max_attempts: Annotated[
        int, Field(ge=1, le=100, description="attempts lost with their worker before giving up")
    ] = 3
    max_queued: Annotated[int, Field(ge=1, description="how many tasks of one model may wait")] = 10_000
    max_queued_per_owner: Annotated[
        int | None, Field(ge=1, description="how many tasks of one owner may wait; empty: no limit")
    ] = None
    retention_seconds: Annotated[float, Field(ge=1, description="how long a finished task is kept")] = 86400.0
    drain_seconds: Annotated[
        float, Field(ge=0, le=86400, description="how long a stopping worker lets running tasks go on")
    ] = 10.0
    heartbeat_file: Annotated[
        Path | None,
        Field(description="what a worker touches while it is well, for `python -m worker.heartbeat`; empty: nothing"),
    ] = None
    max_body_bytes: Annotated[int, Field(ge=1024, description="largest request body")] = 16 * 1024 * 1024
    request_seconds: Annotated[
        float,
        Field(
            ge=1, le=3600, description="how long headers may take to come, and a body to fall below 1024 bytes a second"
        ),
    ] = 20.0
    max_result_bytes: Annotated[int, Field(ge=1024, description="largest result that is kept")] = 16 * 1024 * 1024
    max_wait_seconds: Annotated[
        float, Field(ge=0, le=3600, description="how long a request may wait for a task's end")
    ] = 30.0
    rate_limit: Annotated[
        str,
        Field(
            pattern=r"^([1-9][0-9]{0,8}/(second|minute|hour))?$",
            description="how many requests one owner may make: 100/minute, for example; empty: no limit",
        ),
    ] = ""
    callback_hosts: Annotated[
        str,
        Field(description="where callbacks may go: https://hooks.example.com, https://*.example.com, https://*"),
    ] = ""
    fetch_hosts: Annotated[
        str, Field(description="where models may fetch inputs from that come as URLs: like PENSTOCK_CALLBACK_HOSTS")
    ] = ""
    callback_secret: Annotated[
        str, Field(repr=False, description="what each owner's secret for callbacks is made from, 32 characters or more")
    ] = ""
    callback_retry_seconds: Annotated[
        float, Field(ge=0.1, le=3600, description="the first pause before a callback is tried again; it grows")
    ] = 5.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("models", mode="before")
    @classmethod
    def _split_models(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        folders = tuple(Path(part.strip()).expanduser() for part in value.split(",") if part.strip())
        if not folders:
            raise ValueError("names no folder")
        return folders

    @field_validator("redis_url")
    @classmethod
    def _address(cls, value: str) -> str:
        if value:
            require_files(parse_address(value))
        return value

    @field_validator("api_keys")
    @classmethod
    def _lines_of_keys(cls, value: str) -> str:
        parse_lines(value)
        return value

    @field_validator("callback_hosts", "fetch_hosts")
    @classmethod
    def _rules(cls, value: str) -> str:
        parse_rules(value)
        return value

    @cached_property
    def callback_rules(self) -> tuple[Rule, ...]:
        """Where callbacks may go; nowhere, without a rule."""
        return parse_rules(self.callback_hosts)

    @cached_property
    def fetch_rules(self) -> tuple[Rule, ...]:
        """Where models may fetch inputs from; nowhere, without a rule."""
        return parse_rules(self.fetch_hosts)

    @cached_property
    def keys(self) -> tuple[KeyLine, ...]:
        """The keys that are asked for; without one, nobody is asked."""
        return parse_lines(self.api_keys)

    @property
    def rate(self) -> tuple[int, int] | None:
        """How many requests one owner may make, and in how many ms; None: no limit."""
        if not self.rate_limit:
            return None
        quota, _, unit = self.rate_limit.partition("/")
        return int(quota), {"second": 1_000, "minute": 60_000, "hour": 3_600_000}[unit]

    @property
    def retention_ms(self) -> int:
        """How long a finished task is kept, in ms, as the ledger counts."""
        return int(self.retention_seconds * 1000)

    @property
    def lease_ms(self) -> int:
        """How long a claim is believed, in ms."""
        return int(self.lease_seconds * 1000)

    @model_validator(mode="after")
    def _callbacks_are_signed(self) -> Self:
        if self.callback_rules and len(self.callback_secret) < SHORTEST_SECRET:
            raise ValueError(
                f"PENSTOCK_CALLBACK_SECRET has less than {SHORTEST_SECRET} characters, and PENSTOCK_CALLBACK_HOSTS "
                "allows callbacks: each is signed with a secret made from it"
            )
        return self

    @model_validator(mode="after")
    def _door_is_shut(self) -> Self:
        if self.keys and self.auth == "off":
            raise ValueError(
                "PENSTOCK_AUTH is off, and PENSTOCK_API_KEYS names keys: leave out the one that is not meant"
            )
        if not self.keys and self.auth != "off" and not is_loopback(self.api_host):
            raise ValueError(
                f"PENSTOCK_API_HOST is {self.api_host}, which others can reach, and no one is asked for a key: "
                "name keys in PENSTOCK_API_KEYS, serve 127.0.0.1, or set PENSTOCK_AUTH=off to mean it"
            )
        return self


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach `host`. A name other than localhost counts as reachable."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
