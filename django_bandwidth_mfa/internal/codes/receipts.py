"""Delivery receipts: Bandwidth says what became of a text message.

Receipts carry no signature.  A secret of the site in the address (``RECEIPT_SECRET``) shows that
the sender was told the address by us.  Even so a receipt can do one thing only: it says that a
message was delivered, or was not.
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

# Bytes.  Bandwidth's own are some 250.
MAX_BODY = 16 * 1024


class NotAReceipt(ValueError):
    """The body is not what Bandwidth posts."""


def callback_url(request: HttpRequest | None) -> str | None:
    """Return the address for the receipt of a message that ``request`` asked for.

    None if receipts are off, or if there is no request that tells the site's host.
    """
    if settings.RECEIPT_SECRET is None or request is None:
        return None
    try:
        path = reverse("bandwidth_mfa:receipts", args=[settings.RECEIPT_SECRET])
    except NoReverseMatch:
        return None
    return request.build_absolute_uri(path)


def is_secret(given: str) -> bool:
    """Return whether ``given`` is ``RECEIPT_SECRET``, compared in a time that tells nothing about
    it."""
    expected = settings.RECEIPT_SECRET
    return expected is not None and constant_time_compare(given, expected)


def record(body: bytes) -> bool:
    """Note what a receipt says.

    Receipts may come twice and in any order; "delivered" is never taken back.

    :param body: the body of the request.
    :returns: whether the message is one of ours.
    :raises NotAReceipt: the body is no receipt.
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
    # NUL, which PostgreSQL takes for no text, stands in no id of Bandwidth's.
    return value if isinstance(value, str) and value.isprintable() else ""
