from pathlib import Path

import pytest

from shared.address import Address, parse_address, require_files

SENTINELS = "sentinel://one,two:1,[::1]:2/mine"
CHECKED = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://", Address(hosts=(("localhost", 6379),))),
        ("redis://host:1/2", Address(hosts=(("host", 1),), database=2)),
        ("redis://host?db=3", Address(hosts=(("host", 6379),), database=3)),
        ("redis://me:p%2Fw@host", Address(hosts=(("host", 6379),), username="me", password="p/w")),
        ("rediss://host", Address(hosts=(("host", 6379),), tls=CHECKED)),
        (
            "rediss://host?ssl_ca_certs=/ca.pem&ssl_cert_reqs=none&ssl_check_hostname=no",
            Address(
                hosts=(("host", 6379),),
                tls={"ssl_ca_certs": "/ca.pem", "ssl_cert_reqs": "none", "ssl_check_hostname": False},
            ),
        ),
        ("unix:///run/x.sock?db=1", Address(socket="/run/x.sock", database=1)),
        (SENTINELS, Address(hosts=(("one", 26379), ("two", 1), ("::1", 2)), primary="mine")),
        (
            "sentinel://me:pw@one/mine?db=1&ssl=true&sentinel_username=you&sentinel_password=sp",
            Address(
                hosts=(("one", 26379),),
                primary="mine",
                database=1,
                username="me",
                password="pw",
                sentinel_username="you",
                sentinel_password="sp",
                tls=CHECKED,
            ),
        ),
    ],
)
def test_a_url_is_taken_apart(url: str, address: Address) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://host", "must start with redis://, rediss://, unix:// or sentinel://"),
        ("redis://host:port", "the port is no number"),
        ("redis://host/first", "the database is no number"),
        ("redis://host?socket_timeout=5", "has the option socket_timeout, which redis:// does not take"),
        ("redis://host?db=1&db=2", "has the option db twice"),
        ("redis://host?ssl_ca_certs=/ca.pem", "has the option ssl_ca_certs, but no TLS"),
        ("rediss://host?ssl_cert_reqs=maybe", "ssl_cert_reqs must be one of required, optional, none"),
        ("rediss://host?ssl_check_hostname=maybe", "ssl_check_hostname must be true or false"),
        ("rediss://host?ssl_keyfile=/key.pem", "has ssl_keyfile, but no ssl_certfile"),
        ("sentinel://host:26379", "must name the primary after the sentinels"),
        ("sentinel://host/mine/1", "must name the primary after the sentinels"),
        ("sentinel://one,,two/mine", "names a sentinel without a host"),
        ("sentinel://one/mine?ssl_ca_certs=/ca.pem", "has the option ssl_ca_certs, but no TLS"),
        ("redis://:ses/ame@host", "is cut short by a character of the password"),
        ("redis://:ses#ame@host", "is cut short by a character of the password"),
        ("redis://:ses?ame@host", "is cut short by a character of the password"),
    ],
)
def test_a_wrong_url_is_told_why_without_its_secrets(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"^[^@]*$") as caught:
        parse_address(url)
    assert words in str(caught.value)
    assert "ses" not in str(caught.value).replace("rediss", "")


def test_what_is_secret_is_not_in_its_text() -> None:
    text = repr(parse_address("sentinel://me:sesame@one/mine?ssl=true&sentinel_password=sesame&ssl_password=sesame"))
    assert "sesame" not in text


@pytest.mark.parametrize("option", ["ssl_ca_certs", "ssl_certfile"])
def test_files_are_looked_at_before_they_are_needed(tmp_path: Path, option: str) -> None:
    file = tmp_path / "file.pem"
    address = parse_address(f"rediss://host?{option}={file}")
    with pytest.raises(ValueError, match=rf"^{option}: .*file.pem: No such file"):
        require_files(address)
    file.write_text("no certificate")
    with pytest.raises(ValueError, match=rf"^{option}: .*file.pem: "):
        require_files(address)
