"""The client address of a request, for the limits per address."""

from __future__ import annotations

import ipaddress

from django.http import HttpRequest

from ...conf import settings


def client_address(request: HttpRequest | None) -> str | None:
    """Return the client address: an IPv4 address, or the /64 network of an IPv6 address.

    A customer is given a whole /64, so all of it counts as one.

    A client can write anything into ``X-Forwarded-For``.  Only the entries that our own
    ``TRUSTED_PROXIES`` appended are true, so they are counted from the right.

    :returns: None if there is no request, or no address that can be read.
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
