"""Whose request it is, behind whichever proxies."""

from ipaddress import ip_network

import pytest

from aparte.server.edge.origin import check_origin, client_address, limit_key
from aparte.wire.errors import Refusal

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1, nonsense, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("fe80::1%eth0", [], "fe80::1"),
        (None, ["198.51.100.7"], "unknown"),
        ("/run/socket", ["198.51.100.7"], "unknown"),
    ],
)
def test_only_trusted_proxies_may_say_who_is_behind_them(peer: str | None, forwarded: list[str], client: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == client


def test_one_key_for_a_whole_64() -> None:
    assert limit_key("2001:db8:1:2::1") == limit_key("2001:db8:1:2:ffff:ffff:ffff:ffff") == "2001:db8:1:2::/64"
    assert limit_key("2001:db8:1:3::1") != limit_key("2001:db8:1:2::1")
    assert limit_key("::ffff:192.0.2.1") == limit_key("192.0.2.1") == "192.0.2.1"
    assert limit_key("unknown") == "unknown"


@pytest.mark.parametrize(
    ("origin", "foreign"),
    [
        (None, False),
        ("https://chat.example", False),
        ("https://CHAT.example:443", False),
        ("https://app.example", True),
    ],
)
def test_known_origins(origin: str | None, foreign: bool) -> None:
    assert check_origin(origin, "x", "https://chat.example", frozenset({"https://app.example"})) is foreign


@pytest.mark.parametrize("origin", ["", "null", "http://chat.example", "https://chat.example:8443", "file://"])
def test_unknown_origins(origin: str) -> None:
    with pytest.raises(Refusal, match="forbidden_origin"):
        check_origin(origin, "chat.example", "https://chat.example", frozenset())
