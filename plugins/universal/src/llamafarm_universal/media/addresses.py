"""Which addresses of the network are everybody's, so that a server may be asked to go there."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")
"""Stands for IPv4 addresses (RFC 6052)."""
_GLOBAL = IPv6Network("2000::/3")
"""All that is given out of IPv6 (RFC 4291)."""
_NEVER = (
    IPv4Network("168.63.129.16/32"),  # Azure's own services, for its machines alone
    IPv4Network("192.0.0.0/24"),  # protocols' own, and Oracle's services: Python 3.11 takes some for global
    IPv4Network("192.88.99.0/24"),
    IPv6Network("2001::/23"),  # protocols' own; Teredo and 6to4 lead to IPv4 addresses that stand inside
    IPv6Network("2002::/16"),
    IPv6Network("3fff::/20"),  # documentation
)


def is_public(address: str) -> bool:
    """Whether `address`, an IPv4 or IPv6 address as text, belongs to the public internet.

    Not: loopback, private and link-local networks, carriers' shared ones (RFC 6598), multicast, reserved ones, services
    for cloud machines, and IPv6 addresses that stand for such IPv4 addresses.
    """
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and (inner := _inner(ip)) is not None:
        ip = inner
    if ip.version == 6 and ip not in _GLOBAL:
        return False
    if any(ip.version == network.version and ip in network for network in _NEVER):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _inner(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that this one stands for."""
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped
