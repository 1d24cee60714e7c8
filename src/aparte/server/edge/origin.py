"""Where a request comes from: the client's address behind trusted proxies, and the web origin that sent it."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from aparte.wire.errors import Refusal

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_address(peer: str | None, forwarded_for: Iterable[str], trusted: Sequence[Network]) -> str:
    """Tell the client's address: the last one in X-Forwarded-For that no trusted proxy of ours is.

    The header counts only if the connection itself comes from a trusted proxy, and is read from the right: what
    stands left of the first stranger was written by that stranger.
    """
    here = _parse(peer or "")
    if here is None:
        return "unknown"
    hops = [hop for line in forwarded_for for hop in line.split(",")]
    for hop in reversed(hops):
        if not any(here in network for network in trusted if network.version == here.version):
            break
        before = _parse(hop.strip())
        if before is None:
            break
        here = before
    return str(here)


def limit_key(address: str) -> str:
    """Name an address for rate limits: who has one IPv6 address has its whole /64."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, 64), strict=False))
    return str(parsed or address)


def _parse(text: str) -> Address | None:
    try:
        parsed = ip_address(text.split("%", 1)[0])
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed


def normal_origin(url: str) -> str:
    """Write an origin as browsers do: scheme and authority, lower case, without the default port."""
    parts = urlsplit(url.strip().lower())
    authority = parts.netloc.rpartition("@")[2]
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return f"{parts.scheme}://{authority.removesuffix(default)}" if default else f"{parts.scheme}://{authority}"


def check_origin(origin: str | None, host: str, public_url: str, allowed: frozenset[str]) -> bool:
    """Refuse a foreign web origin; tell whether it is foreign but allowed, and so needs CORS headers.

    Without a public address, the server's own origin is what the browser called it: the Host header.
    """
    if origin is None:
        return False
    asked = normal_origin(origin) if "://" in origin else origin
    if asked in allowed:
        return True
    own = {normal_origin(public_url)} if public_url else {normal_origin(f"{s}://{host}") for s in ("http", "https")}
    if asked not in own:
        raise Refusal("forbidden_origin")
    return False
