"""Address lists as sets of networks: what they cover, what they miss, how wide they are."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from reconciler.model.desired import Address

#: The widest that a whole whitelist may be: 256 IPv4 addresses, and one IPv6 site, a /48 (RFC 6177).
WIDEST_V4 = 2 ** (32 - 24)
WIDEST_V6 = 2 ** (128 - 48)

_MAPPED = IPv6Network("::ffff:0:0/96")


def parse(texts: Iterable[str]) -> tuple[tuple[Address, ...], tuple[str, ...]]:
    """The networks that ``texts`` name, collapsed, and those texts that name none."""
    networks: list[Address] = []
    unreadable: list[str] = []
    for text in texts:
        try:
            networks.append(ip_network(text.strip(), strict=False))
        except ValueError:
            unreadable.append(text)
    return collapse(networks), tuple(unreadable)


def collapse(networks: Iterable[Address]) -> tuple[Address, ...]:
    """The fewest networks that cover the same addresses, IPv4 first, in order."""
    plain = [_unmapped(network) for network in networks]
    v4 = collapse_addresses(network for network in plain if isinstance(network, IPv4Network))
    v6 = collapse_addresses(network for network in plain if isinstance(network, IPv6Network))
    return (*v4, *v6)


def outside(networks: Iterable[Address], cover: Iterable[Address]) -> tuple[Address, ...]:
    """Those of ``networks`` that are not wholly inside one network of ``cover``."""
    covers = collapse(cover)
    return tuple(n for n in collapse(networks) if not any(_within(n, c) for c in covers))


def too_wide(networks: Iterable[Address]) -> bool:
    """Whether ``networks`` together cover more than a bot's own exits can explain."""
    covers = collapse(networks)
    v4 = sum(network.num_addresses for network in covers if isinstance(network, IPv4Network))
    v6 = sum(network.num_addresses for network in covers if isinstance(network, IPv6Network))
    return v4 > WIDEST_V4 or v6 > WIDEST_V6


def show(networks: Iterable[Address]) -> str:
    """Networks for people: single addresses without their prefix length."""
    return ", ".join(str(n.network_address) if n.num_addresses == 1 else str(n) for n in networks)


def _within(inner: Address, outer: Address) -> bool:
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network):
        return inner.subnet_of(outer)
    return False


def _unmapped(network: Address) -> Address:
    """IPv4 inside IPv6 (``::ffff:0:0/96``) as IPv4, else a whole IPv4 internet would look narrow."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        low = int(network.network_address) & 0xFFFFFFFF
        return IPv4Network((low, network.prefixlen - 96))
    return network
