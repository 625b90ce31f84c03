"""The client address of a request, for the limits per address."""

from __future__ import annotations

import ipaddress

from django.http import HttpRequest

from ...conf import settings


def client_address(request: HttpRequest | None) -> str | None:
    """Where ``request`` came from: an IPv4 address, or the /64 that an IPv6 customer is given.

    ``X-Forwarded-For`` is what the client says of itself, save for the entries that our own
    ``TRUSTED_PROXIES`` appended: the last of those that they can vouch for is counted from the
    right.  None where there is no request, or no address in it.
    """
    if request is None:
        return None
    address = request.META.get("REMOTE_ADDR", "")
    proxies = settings.TRUSTED_PROXIES
    if proxies:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(forwarded) >= proxies:
            address = forwarded[-proxies].strip()
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
