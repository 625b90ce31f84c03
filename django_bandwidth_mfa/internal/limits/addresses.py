"""The client address of a request, for the limits by address."""

from __future__ import annotations

import ipaddress
import re
import time

from django.http import HttpRequest

from ...conf import settings
from ..notify import events

# Seconds between two log records about an unreadable address.
_TELL_EVERY = 3600

_logged_at: float | None = None

_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]+)\](:[0-9]{1,5})?|(?P<v4>[0-9.]+):[0-9]{1,5}")


def client_address(request: HttpRequest | None) -> str | None:
    """Return the client address: an IPv4 address, or the /64 network of an IPv6 address.

    A customer usually gets a whole /64, so all its addresses count as one.

    A client can send any ``X-Forwarded-For``.  Only the entries that the site's own proxies have
    appended are reliable, so the entries are counted from the right (``TRUSTED_PROXIES``).

    :returns: the address; None if there is no request, or if the address cannot be read.  An
        unreadable address means a wrong setting.  Then the limits by address do not apply, and an
        error is logged.
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
        parsed = ipaddress.ip_address(_without_port(address))
    except ValueError:
        _tell_unreadable()
        return None
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _tell_unreadable() -> None:
    """Log that an address cannot be read, at most once an hour in each process."""
    global _logged_at
    now = time.monotonic()
    if _logged_at is None or now - _logged_at >= _TELL_EVERY:
        _logged_at = now
        events.address_unreadable()


def _without_port(address: str) -> str:
    """Return ``address`` without the port of the client, which some proxies append.

    An IPv6 address with a port is in brackets; without them, a port would look like the last group
    of the address.  Any other text is returned unchanged.

    >>> _without_port("203.0.113.9:4711")
    '203.0.113.9'
    >>> _without_port("[2001:db8::1]:443")
    '2001:db8::1'
    """
    match = _WITH_PORT.fullmatch(address)
    return (match["v6"] or match["v4"]) if match else address
