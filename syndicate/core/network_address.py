"""Which network addresses belong to the public internet."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1: the last 32 bits are an IPv4 address
_IPV4_COMPATIBLE = IPv6Network("::/96")  # RFC 4291 §2.5.5.1, deprecated
_HANDED_OUT = IPv6Network("2000::/3")
"""IANA's registry of IPv6 addresses: everything else is special or nobody's, such as fec0::/10 (RFC 3879), and other
ways to spell an IPv4 address: ::ffff:0:0:0/96 (RFC 7915) and 64:ff9b:1::/48 (RFC 8215)."""
_NOT_YET_KNOWN = (IPv6Network("3fff::/20"), IPv4Network("192.88.99.0/24"))
"""RFC 9637, for documentation, and RFC 7526, relays that are no more: not every Python knows them."""


def is_public(text: str) -> bool:
    """Whether the address, as the resolver writes it, is one that everybody can reach: not this machine, a private or
    link-local network, a multicast group, or a reserved block. An IPv6 address that stands for an IPv4 address is
    judged by that. False for what is no address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        inner = _within(address)
        if inner is not None:
            return is_public(str(inner))
        if address not in _HANDED_OUT:
            return False
    if any(address in network for network in _NOT_YET_KNOWN):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _within(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or (address in _IPV4_COMPATIBLE and int(address) > 0xFFFF):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None
