"""Where the API listens: whether the address is free, and the URL under which this machine reaches it."""

import errno
import ipaddress
import socket


class AddressError(Exception):
    """The API cannot listen there; the message names the setting."""


def free_port(host: str, port: int) -> int:
    """Bind `host:port` for an instant and return the port; for port 0 the one the system chose.

    Raises:
        AddressError: something else listens there, it takes a privilege, or the host is not this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise AddressError(f"PENSTOCK_API_HOST: {host} is not an address: {error.strerror}") from error
    family, kind, _, _, address = found[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the API will: TIME_WAIT is no obstacle
        try:
            probe.bind(address)
            probe.listen()  # macOS finds out only now
        except OSError as error:
            raise AddressError(why_not(host, port, error)) from error
        return int(probe.getsockname()[1])


def why_not(host: str, port: int, error: OSError) -> str:
    """Say in one line, naming the setting, why an address could not be bound."""
    if error.errno == errno.EADDRINUSE:
        return f"PENSTOCK_API_PORT: {port} is in use on {host} by another program"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"PENSTOCK_API_HOST: {host} is no address of this machine"
    return f"PENSTOCK_API_PORT: {port} cannot be bound on {host}: {error.strerror}"


def local_url(host: str, port: int) -> str:
    """Return the URL of an API on `host:port` as seen from this machine, where `any address` means loopback."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}"
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")  # noqa: PLR2004
    return f"http://[{address}]:{port}" if address.version == 6 else f"http://{address}:{port}"  # noqa: PLR2004
