"""Where a request that a client caused may go: a callback, or an input that is fetched from a URL.

Whoever can name a URL can have it asked for from where we stand, which may be behind a firewall, beside a cloud's
metadata service, or next to Redis (OWASP API7:2023). So nothing is allowed that the operator has not named; every
address that a name resolves to is checked; and what was checked is what is connected to, since a name may resolve
otherwise a moment later. How a host is spelt (`127.1`, `0x7f000001`, `localhost.`) does not matter: its address does.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

LONGEST_URL = 2048
LONGEST_HOST = 253
DEFAULT_PORTS = {"https": 443, "http": 80}
# What no URL has in it unescaped (RFC 3986). A backslash is a slash to some and not to others.
ODD = re.compile(r"[^!#-\[\]_a-z~]", re.IGNORECASE)
HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,62})\.)*[a-z0-9_](?:[a-z0-9_-]{0,62})\.?", re.IGNORECASE)
UNICAST = ipaddress.ip_network("2000::/3")  # the only part of IPv6 that is routed in the Internet
ANY = "any"
NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ForbiddenError(ValueError):
    """A URL that must not be asked for. The message says why, in one sentence that a client may read."""


class UnresolvedError(ForbiddenError):
    """A host that has no address, at least now."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that an operator allows: a host, the hosts below a domain, or any at all, over one scheme."""

    scheme: str
    host: str  # `*` any, `*.example.com` below it, else exactly this
    port: int

    @property
    def is_wide(self) -> bool:
        """Tell whether it names no single host. Then only public addresses are meant."""
        return self.host.startswith("*")

    def allows(self, target: "Target") -> bool:
        """Tell whether it allows `target`, as far as can be told before its host is resolved."""
        if (self.scheme, self.port) != (target.scheme, target.port):
            return False
        if self.host.startswith("*."):
            return target.host.endswith(self.host[1:])
        return self.host in ("*", target.host)


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL names."""

    scheme: str
    host: str
    port: int


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Read rules, separated by commas: `https://hooks.example.com:8443`, `http://10.0.0.7`, `https://*`, ...

    Raises:
        ValueError: naming the entry that is none.
    """
    return tuple(_rule(entry.strip()) for entry in text.split(",") if entry.strip())


def check_url(url: str, rules: Iterable[Rule]) -> tuple[Target, bool]:
    """Return what `url` names, and whether its addresses must be public.

    Raises:
        ForbiddenError: it is no URL that can be asked for, or no rule allows it.
    """
    target = _target(url)
    matching = [rule for rule in rules if rule.allows(target)]
    if not matching:
        raise ForbiddenError("this server does not ask that host, scheme or port")
    must_be_public = all(rule.is_wide for rule in matching)
    literal = _literal(target.host)
    if literal is not None:
        check_addresses([literal], must_be_public=must_be_public)
    return target, must_be_public


def check_addresses(addresses: Iterable[Address], *, must_be_public: bool) -> None:
    """Pass if every one of `addresses`, which a host has, may be connected to.

    All, not one of them: a host with a public and a private address would be asked at whichever comes first.

    Raises:
        ForbiddenError: there is one that may not.
    """
    if must_be_public and not all(map(is_public, addresses)):
        raise ForbiddenError("the host has an address that is not public")


def is_public(address: Address) -> bool:
    """Tell whether an address is out in the Internet, wrapped in another or not.

    `is_global` alone is true of multicast, site-local addresses, NAT64 and 6to4 on Python 3.11.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast and not address.is_reserved
    wrapped = _wrapped(address)
    return (address.is_global and address in UNICAST) if wrapped is None else is_public(wrapped)


def resolve(target: Target) -> list[Address]:
    """Return every address of a host; blocks for as long as the resolver does.

    Raises:
        UnresolvedError: it has none.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UnresolvedError("the host has no address") from None
    return [ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in found]


def pinned(url: str, address: Address) -> str:
    """Return `url` with the host replaced by its checked address; the name goes into Host and SNI."""
    parts = urlsplit(url)
    host = f"[{address}]" if isinstance(address, ipaddress.IPv6Address) else str(address)
    return parts._replace(netloc=host if parts.port is None else f"{host}:{parts.port}", fragment="").geturl()


def host_header(url: str) -> str:
    """Return what a request for `url` says in Host, though it goes to an address."""
    return urlsplit(url).netloc


def _rule(entry: str) -> Rule:
    scheme, _, rest = entry.partition("://")
    is_wide = rest.startswith("*")
    try:
        # A star is no part of a host's name: read the rule with a label in its place.
        target = _target(f"{scheme}://{ANY}{rest[1:]}" if is_wide else entry)
        parts = urlsplit(entry)
    except ForbiddenError as error:
        raise ValueError(f"{entry}: {error}") from None
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{entry}: a rule is a scheme, a host and perhaps a port")
    if not is_wide:
        return Rule(target.scheme, target.host, target.port)
    below = target.host.removeprefix(ANY)
    if below and not below.startswith("."):
        raise ValueError(f"{entry}: a star stands alone, or before a dot")
    return Rule(target.scheme, f"*{below}", target.port)


def _target(url: str) -> Target:
    if len(url) > LONGEST_URL:
        raise ForbiddenError(f"a URL has {LONGEST_URL} characters at most")
    if ODD.search(url):
        raise ForbiddenError("a URL has no spaces, backslashes or characters beyond ASCII; escape them")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ForbiddenError("this is no URL") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise ForbiddenError("a URL begins with https:// or http://")
    if "@" in parts.netloc:
        raise ForbiddenError("a URL with a user or a password in it is not asked for")
    return Target(parts.scheme, _host(parts), DEFAULT_PORTS[parts.scheme] if port is None else port)


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if "[" in parts.netloc:
        if _literal(host) is None:
            raise ForbiddenError("this is no URL")
        return host
    if not HOST.fullmatch(host) or len(host) > LONGEST_HOST:
        raise ForbiddenError("this is no URL")
    return host.rstrip(".")


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that traffic to an IPv6 address ends up at, if it does."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in NAT64) or address in ipaddress.ip_network("::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None
