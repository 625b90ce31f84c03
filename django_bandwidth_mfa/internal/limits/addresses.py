"""The client address of a request, for the limits per address."""

from __future__ import annotations

import ipaddress
import re
import time

from django.http import HttpRequest

from ...conf import settings
from ..notify import events

# Seconds.
_TELL_EVERY = 3600

_told_at: float | None = None

_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]+)\](:[0-9]{1,5})?|(?P<v4>[0-9.]+):[0-9]{1,5}")


def client_address(request: HttpRequest | None) -> str | None:
    """Return the client address: an IPv4 address, or the /64 network of an IPv6 address.

    A customer is given a whole /64, so all of it counts as one.

    A client can write anything into ``X-Forwarded-For``.  Only the entries that our own
    ``TRUSTED_PROXIES`` appended are true, so they are counted from the right.

    :returns: None if there is no request, or no address that can be read.  Only a wrong setting
        makes an address unreadable, so then nobody is limited by address, and the log says so.
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
        found = ipaddress.ip_address(_without_port(address))
    except ValueError:
        _tell_unreadable()
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _tell_unreadable() -> None:
    """Log that an address cannot be read: once an hour in each process."""
    global _told_at
    now = time.monotonic()
    if _told_at is None or now - _told_at >= _TELL_EVERY:
        _told_at = now
        events.address_unreadable()


def _without_port(address: str) -> str:
    """Return ``203.0.113.9`` of ``203.0.113.9:4711``, and ``2001:db8::1`` of ``[2001:db8::1]:443``.

    Some proxies append the client's port.  An IPv6 address with a port stands in brackets, since
    its last group would be no different from a port.  What has neither form is returned as it is.
    """
    found = _WITH_PORT.fullmatch(address)
    return (found["v6"] or found["v4"]) if found else address
