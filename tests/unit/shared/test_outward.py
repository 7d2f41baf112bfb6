"""The table of hostile URLs, and what an operator may allow."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.outward import (
    ForbiddenError,
    Rule,
    Target,
    check_addresses,
    check_url,
    is_public,
    parse_rules,
    pinned,
    resolve,
)

ANYWHERE = parse_rules("https://*, http://*, https://*:8443")

# Every way in that is known to us, spelt as a client may spell it. `resolved` is where it leads on this machine, for
# those that look harmless until their host is resolved.
HOSTILE = [
    # loopback, in every notation of inet_aton
    "http://127.0.0.1/", "http://127.1/", "http://127.0.1/", "http://2130706433/", "http://0x7f000001/",
    "http://0x7f.1/", "http://0177.0.0.1/", "http://017700000001/", "http://localhost/", "http://LOCALHOST/",
    "http://localhost./", "http://127.255.255.254/", "http://0/", "http://0.0.0.0/",
    # loopback and private networks in IPv6, plain and wrapped
    "http://[::1]/", "http://[::]/", "http://[0:0:0:0:0:0:0:1]/", "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/", "http://[::127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[64:ff9b:1::a00:1]/",
    "http://[2002:7f00:1::]/", "http://[2002:a00:1::1]/", "http://[2001:0:7f00:1::80ff:fffe]/", "http://[fe80::1]/",
    "http://[fc00::1]/", "http://[fd12:3456:789a::1]/", "http://[ff02::1]/", "http://[fec0::1]/",
    # private, shared, link-local, reserved, documentation
    "http://10.0.0.1/", "http://172.16.0.1/", "http://172.31.255.255/", "http://192.168.1.1/", "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/", "http://0xa9fea9fe/", "http://2852039166/", "http://192.0.2.1/",
    "http://198.18.0.1/", "http://224.0.0.1/", "http://240.0.0.1/", "http://255.255.255.255/",
    # schemes
    "file:///etc/passwd", "ftp://example.com/", "gopher://127.0.0.1:6379/_FLUSHALL", "redis://127.0.0.1/",
    "unix:///run/redis.sock", "javascript:alert(1)", "data:text/plain,x", "//example.com/", "example.com", "",
    "HTTPS:/example.com", "https:example.com",
    # ports that nobody allowed
    "http://example.com:22/", "http://example.com:6379/", "https://example.com:80/", "http://example.com:0/",
    "http://example.com:99999/", "http://example.com:-1/", "http://example.com:8o/",
    # what parsers disagree about
    "http://example.com@127.0.0.1/", "http://user:secret@example.com/", "http://127.0.0.1#@example.com/",
    "http://127.0.0.1\\@example.com/", "http://example.com\\.evil.test/", "http:\\\\127.0.0.1\\", "http:///127.0.0.1/",
    "http://exa mple.com/", "http://example.com\t.evil.test/", "http://example.com\r\nHost: evil.test/",
    "http://example.com\x00.evil.test/", "http://%31%32%37.0.0.1/", "http://[::1", "http://[::1]x/", "http://[v1.x]/",
    "http://[fe80::1%25lo]/", "http://[::ffff:127.0.0.1%lo]/", "http://\u24dbocalhost/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://127\u30020\u30020\u30021/", "http://.example.com/", "http://example..com/", "http://-/", "http://?x", "http://#",
    "http://" + "a" * 64 + ".com/", "http://" + "a." * 200 + "com/", "http://example.com/" + "a" * 2048,
]  # fmt: skip


def look_up(url: str) -> None:
    target, must_be_public = check_url(url, ANYWHERE)
    check_addresses(resolve(target), must_be_public=must_be_public)


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_url_is_not_asked_for(url: str) -> None:
    with pytest.raises(ForbiddenError) as caught:
        look_up(url)
    assert str(caught.value) != "the host has no address"  # else it would be the resolver that saves us
    assert "\n" not in str(caught.value)
    assert not url or url not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.com", Target("https", "example.com", 443)),
        ("https://EXAMPLE.com./a?b=c&d=%20#e", Target("https", "example.com", 443)),
        ("http://example.com:80/", Target("http", "example.com", 80)),
        ("https://example.com:8443/", Target("https", "example.com", 8443)),
        ("https://xn--bcher-kva.example/", Target("https", "xn--bcher-kva.example", 443)),
        ("https://93.184.215.14/", Target("https", "93.184.215.14", 443)),
        ("https://[2606:2800:21f:cb07::1]/", Target("https", "2606:2800:21f:cb07::1", 443)),
    ],
)  # fmt: skip
def test_a_url_to_the_internet_is_asked_for_if_that_is_allowed(url: str, target: Target) -> None:
    assert check_url(url, ANYWHERE) == (target, True)
    with pytest.raises(ForbiddenError):
        check_url(url, ())


@pytest.mark.parametrize(
    ("rules", "url", "allowed"),
    [
        ("https://hooks.example.com", "https://hooks.example.com/x", True),
        ("https://hooks.example.com", "http://hooks.example.com/x", False),
        ("https://hooks.example.com", "https://hooks.example.com:444/x", False),
        ("https://hooks.example.com", "https://example.com/x", False),
        ("https://hooks.example.com", "https://hooks.example.com.evil.test/x", False),
        ("https://hooks.example.com", "https://evilhooks.example.com/x", False),
        ("https://*.example.com", "https://hooks.example.com/x", True),
        ("https://*.example.com", "https://a.b.example.com/x", True),
        ("https://*.example.com", "https://example.com/x", False),
        ("https://*.example.com", "https://evilexample.com/x", False),
        ("http://10.0.0.7:8080", "http://10.0.0.7:8080/hook", True),
        ("http://10.0.0.7:8080", "http://10.0.0.8:8080/hook", False),
        ("http://[fd00::7]", "http://[fd00::7]/hook", True),
        ("https://*,http://127.0.0.1:9000", "http://127.0.0.1:9000/hook", True),
        ("https://*,http://127.0.0.1:9000", "http://127.0.0.1/hook", False),
    ],
)
def test_what_an_operator_allows(rules: str, url: str, allowed: bool) -> None:
    if allowed:
        assert check_url(url, parse_rules(rules))
    else:
        with pytest.raises(ForbiddenError):
            check_url(url, parse_rules(rules))


def test_a_host_that_the_operator_names_may_be_inside_and_a_pattern_may_not() -> None:
    inside = [ipaddress.ip_address("10.0.0.1")]
    _, must_be_public = check_url("https://hooks.example.com/", parse_rules("https://hooks.example.com"))
    check_addresses(inside, must_be_public=must_be_public)
    for rules in ("https://*", "https://*.example.com"):
        _, must_be_public = check_url("https://hooks.example.com/", parse_rules(rules))
        with pytest.raises(ForbiddenError):
            check_addresses(inside, must_be_public=must_be_public)


def test_one_private_address_among_many_is_one_too_many() -> None:
    both = [ipaddress.ip_address(text) for text in ("93.184.215.14", "10.0.0.1")]
    with pytest.raises(ForbiddenError):
        check_addresses(both, must_be_public=True)


@pytest.mark.parametrize(
    "entry",
    [
        "example.com",
        "ftp://example.com",
        "https://a b",
        "https://example.com/path",
        "https://example.com?a",
        "*",
        "https://*example.com",
        "https://*-example.com",
        "https://a.*.com",
        "https://**",
        "https://",
    ],
)
def test_a_rule_that_is_none_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match=r".+: .+"):
        parse_rules(f"https://*,{entry}")


def test_rules_are_read_as_they_are_written() -> None:
    assert parse_rules(" https://* , http://*.example.com:8080,,https://Hooks.Example.com/ ") == (
        Rule("https", "*", 443),
        Rule("http", "*.example.com", 8080),
        Rule("https", "hooks.example.com", 443),
    )


@pytest.mark.parametrize(
    ("url", "address", "expected"),
    [
        ("https://example.com/a?b=c", "93.184.215.14", "https://93.184.215.14/a?b=c"),
        ("https://example.com:8443/a#b", "2606:2800::1", "https://[2606:2800::1]:8443/a"),
        ("http://example.com", "93.184.215.14", "http://93.184.215.14"),
    ],
)
def test_what_was_checked_is_what_is_connected_to(url: str, address: str, expected: str) -> None:
    assert pinned(url, ipaddress.ip_address(address)) == expected


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_does_not_make_it_public(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    for wrapped in (
        0xFFFF << 32 | number,
        0x0064_FF9B << 96 | number,
        0x2002 << 112 | number << 80,
        0x2001_0000 << 96 | (number ^ 0xFFFFFFFF),
    ):
        assert is_public(ipaddress.IPv6Address(wrapped)) == is_public(address)
