"""Delivery receipts: Bandwidth reports whether a text message was delivered.

Receipts have no signature.  A secret in the URL (``RECEIPT_SECRET``) proves that the sender knows
the URL from us.  Even a forged receipt could only report that a message was delivered or not.
"""

from __future__ import annotations

import json

from django.db.models import Q
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.crypto import constant_time_compare

from ...conf import settings
from ...models import Challenge, Delivery
from ..notify import events

PLATFORMS = ("NorthAmericaSMS", "GlobalSMS")
DELIVERIES = {"message-delivered": Delivery.DELIVERED, "message-failed": Delivery.FAILED}

# The largest body, in bytes.  Bandwidth's receipts have about 250.
MAX_BODY = 16 * 1024


class NotAReceipt(ValueError):
    """The body of a request is not a receipt of Bandwidth."""


def callback_url(request: HttpRequest | None) -> str | None:
    """Return the URL for the receipt of a message.

    It is None if receipts are off, or if there is no request with the host of the site.
    """
    if settings.RECEIPT_SECRET is None or request is None:
        return None
    try:
        path = reverse("bandwidth_mfa:receipts", args=[settings.RECEIPT_SECRET])
    except NoReverseMatch:
        return None
    return request.build_absolute_uri(path)


def is_secret(text: str) -> bool:
    """Return whether ``text`` is ``RECEIPT_SECRET``, with a comparison in constant time."""
    expected = settings.RECEIPT_SECRET
    return expected is not None and constant_time_compare(text, expected)


def record(body: bytes) -> bool:
    """Store the result in a receipt.

    Receipts may come twice and in any order.  "Delivered" is never changed to "failed".

    :param body: the body of the request.
    :returns: whether the message was sent by this site.
    :raises NotAReceipt: the body is not a receipt.
    """
    message_id, delivery, error_code = _read(body)
    challenge = Challenge.objects.filter(provider_id=message_id, channel="sms").first()
    if challenge is None:
        return False
    undecided = Q(delivery="")
    if delivery == Delivery.DELIVERED:
        undecided |= Q(delivery=Delivery.FAILED)
    rows = Challenge.objects.filter(undecided, pk=challenge.pk)
    if rows.update(delivery=delivery, delivery_error=error_code) and delivery == Delivery.FAILED:
        challenge.delivery_error = error_code
        events.message_failed(challenge)
    return True


def _read(body: bytes) -> tuple[str, Delivery, int | None]:
    try:
        receipt = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise NotAReceipt from None
    if not isinstance(receipt, dict) or receipt.get("platform") not in PLATFORMS:
        raise NotAReceipt
    delivery = DELIVERIES.get(_text(receipt.get("type")))
    message = receipt.get("message")
    message_id = _text(message.get("id")) if isinstance(message, dict) else ""
    if delivery is None or not 1 <= len(message_id) <= 200:
        raise NotAReceipt
    code = receipt.get("errorCode")
    known = type(code) is int and 0 <= code < 2**31 and delivery == Delivery.FAILED
    return message_id, delivery, code if known else None


def _text(value: object) -> str:
    # Bandwidth's ids are printable.  PostgreSQL would refuse a text with a NUL character.
    return value if isinstance(value, str) and value.isprintable() else ""
