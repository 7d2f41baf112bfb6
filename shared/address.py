"""Where the ledger is: PENSTOCK_REDIS_URL, taken apart. Pure, but for `require_files`."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from shared.server import redacted

SCHEMES = ("redis://", "rediss://", "unix://", "sentinel://")
REDIS_PORT, SENTINEL_PORT = 6379, 26379
# What may stand in the query, by its name in redis-py. What else redis-py would take (timeouts, retries) is Penstock's
# to decide, and Celery's transport knows none of it.
FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
TLS = (*FILES, "ssl_password", "ssl_cert_reqs", "ssl_check_hostname")
OF_SENTINELS = ("ssl", "sentinel_username", "sentinel_password")
CHECKS = ("required", "optional", "none")
TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True)
class Address:
    """One server, or the sentinels that know which of several it is."""

    hosts: tuple[tuple[str, int], ...] = ()  # of the server, or of its sentinels
    socket: str = ""  # the path of a unix socket instead
    primary: str = ""  # the name by which the sentinels know the servers; without one there are no sentinels
    database: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    sentinel_username: str = ""
    sentinel_password: str = field(default="", repr=False)
    tls: Mapping[str, Any] | None = field(default=None, repr=False)  # redis-py's arguments; None: in the clear

    @property
    def server_arguments(self) -> dict[str, Any]:
        """What redis-py needs to speak to a server, but for where it is."""
        return {"db": self.database, **_known(self.username, self.password), **(self.tls or {})}

    @property
    def sentinel_arguments(self) -> dict[str, Any]:
        """What redis-py's client needs to speak to a sentinel, but for where it is."""
        secret = _known(self.sentinel_username, self.sentinel_password)
        return {**secret, **({} if self.tls is None else {"ssl": True, **self.tls})}


def parse_address(url: str) -> Address:
    """Take a URL apart.

    Raises:
        ValueError: saying what is wrong, without a password or anything else that may be secret.
    """
    if not url.startswith(SCHEMES):
        raise ValueError(f"must start with {', '.join(SCHEMES[:-1])} or {SCHEMES[-1]}")
    try:
        return _parse(urlsplit(url))
    except ValueError as error:
        raise ValueError(f"{redacted(url)}: {error}") from None


def require_files(address: Address) -> None:
    """Look whether the files of certificates and keys that an address names can be used.

    Raises:
        ValueError: naming the first that cannot, and why.
    """
    tls = address.tls or {}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    name = "ssl_ca_certs"
    try:
        if "ssl_ca_certs" in tls:
            context.load_verify_locations(tls["ssl_ca_certs"])
        name = "ssl_certfile"
        if "ssl_certfile" in tls:
            # With a password, if an empty one: without any, OpenSSL would ask whoever sits at the terminal.
            context.load_cert_chain(tls["ssl_certfile"], tls.get("ssl_keyfile"), tls.get("ssl_password", ""))
    except OSError as error:  # which an SSLError is too
        raise ValueError(f"{name}: {tls[name]}: {error.strerror or 'cannot be used'}") from None


def authority(address: Address) -> str:
    """Return what stands before the host in a URL of the same server: `user:password@`, or nothing."""
    if not address.username and not address.password:
        return ""
    return f"{quote(address.username, safe='')}:{quote(address.password, safe='')}@"


def _parse(parts: SplitResult) -> Address:
    if parts.fragment or (parts.scheme != "unix" and "@" in parts.path + parts.query):
        raise ValueError("is cut short by a character of the password: write # as %23, / as %2F and ? as %3F")
    options = _options(parts)
    if parts.scheme == "unix":
        return Address(socket=unquote(parts.path), database=_database(options.get("db", "0")), **_credentials(parts))
    if parts.scheme == "sentinel":
        return _of_sentinels(parts, options)
    return Address(
        hosts=(_host(parts.netloc.rpartition("@")[2], REDIS_PORT),),
        database=_database(options.get("db") or parts.path.strip("/") or "0"),
        tls=_tls(options, is_secure=parts.scheme == "rediss"),
        **_credentials(parts),
    )


def _of_sentinels(parts: SplitResult, options: Mapping[str, str]) -> Address:
    name = unquote(parts.path.strip("/"))
    if not name or "/" in name:
        raise ValueError("must name the primary after the sentinels: sentinel://HOST:26379,HOST:26379/NAME")
    return Address(
        hosts=_hosts(parts, SENTINEL_PORT),
        primary=name,
        database=_database(options.get("db", "0")),
        sentinel_username=options.get("sentinel_username", ""),
        sentinel_password=options.get("sentinel_password", ""),
        tls=_tls(options, is_secure=_truth("ssl", options.get("ssl", "false"))),
        **_credentials(parts),
    )


def _options(parts: SplitResult) -> dict[str, str]:
    known = {"unix": ("db",), "sentinel": ("db", *OF_SENTINELS, *TLS)}.get(parts.scheme, ("db", *TLS))
    given = parse_qs(parts.query, keep_blank_values=True)
    for name, values in given.items():
        if name not in known:
            raise ValueError(f"has the option {name}, which {parts.scheme}:// does not take: {', '.join(known)}")
        if len(values) > 1:
            raise ValueError(f"has the option {name} twice")
    return {name: values[0] for name, values in given.items()}


def _tls(options: Mapping[str, str], *, is_secure: bool) -> dict[str, Any] | None:
    found: dict[str, Any] = {name: options[name] for name in TLS if name in options}
    if not is_secure:
        if found:
            raise ValueError(f"has the option {next(iter(found))}, but no TLS: rediss://, or ssl=true for sentinel://")
        return None
    if found.setdefault("ssl_cert_reqs", "required") not in CHECKS:
        raise ValueError(f"ssl_cert_reqs must be one of {', '.join(CHECKS)}")
    found["ssl_check_hostname"] = _truth("ssl_check_hostname", options.get("ssl_check_hostname", "true"))
    if "ssl_keyfile" in found and "ssl_certfile" not in found:
        raise ValueError("has ssl_keyfile, but no ssl_certfile")
    return found


def _hosts(parts: SplitResult, default_port: int) -> tuple[tuple[str, int], ...]:
    places = parts.netloc.rpartition("@")[2].split(",")
    return tuple(_host(place.strip(), default_port) for place in places)


def _host(place: str, default_port: int) -> tuple[str, int]:
    one = urlsplit(f"//{place}")
    try:
        port = one.port
    except ValueError:
        raise ValueError(f"{place}: the port is no number up to 65535") from None
    if not one.hostname and default_port == SENTINEL_PORT:
        raise ValueError("names a sentinel without a host")
    return unquote(one.hostname or "localhost"), port or default_port


def _credentials(parts: SplitResult) -> dict[str, Any]:
    return {"username": unquote(parts.username or ""), "password": unquote(parts.password or "")}


def _database(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("the database is no number")
    return int(text)


def _truth(name: str, text: str) -> bool:
    if text.lower() not in TRUTHS:
        raise ValueError(f"{name} must be true or false")
    return TRUTHS[text.lower()]


def _known(username: str, password: str) -> dict[str, str]:
    return {name: value for name, value in (("username", username), ("password", password)) if value}
