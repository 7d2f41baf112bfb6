"""Where the API listens."""

import errno
import socket

import pytest

from cli.address import AddressError, free_port, local_url, why_not


def test_port_zero_becomes_one_that_is_free() -> None:
    port = free_port("127.0.0.1", 0)
    assert port > 0
    assert free_port("127.0.0.1", port) == port


def test_a_port_in_use_names_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressError, match=rf"^PENSTOCK_API_PORT: {port} is in use on 127\.0\.0\.1") as caught:
            free_port("127.0.0.1", port)
    assert "\n" not in str(caught.value)


def test_a_host_that_is_not_ours_names_the_setting() -> None:
    with pytest.raises(AddressError, match=r"^PENSTOCK_API_HOST: 192\.0\.2\.1 is no address of this machine"):
        free_port("192.0.2.1", 0)


def test_a_privileged_port_says_so() -> None:
    message = why_not("127.0.0.1", 80, OSError(errno.EACCES, "Permission denied"))
    assert message == "PENSTOCK_API_PORT: 80 cannot be bound on 127.0.0.1: Permission denied"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("localhost", "http://localhost:8000"),
    ],
)
def test_the_url_is_one_that_this_machine_reaches(host: str, url: str) -> None:
    assert local_url(host, 8000) == url
