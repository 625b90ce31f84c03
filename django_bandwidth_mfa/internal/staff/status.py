"""Figures about the second factor of the whole site and of one user.

``manage.py mfa_status`` prints them, and the admin shows those of a user.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from ...models import Challenge, Delivery, Phone, Purpose, RecoveryCode, TrustedBrowser
from ...types import User, in_query
from ..codes import sending
from ..limits import rules
from ..notify import delivery_errors, statistics
from ..phones.source import phone_source


def of_site(hours: int = 24) -> dict[str, object]:
    """Return the figures of the last ``hours``, and of the present state.

    Programs read the result (``--json``), so a key is never removed, and its meaning never changes.
    """
    since = timezone.now() - timedelta(hours=hours)
    recent = Challenge.objects.filter(sent_at__gte=since)
    out = Q(failure="")
    counts = recent.aggregate(
        sms=Count("pk", filter=out & Q(channel="sms")),
        voice=Count("pk", filter=out & Q(channel="voice")),
        failed=Count("pk", filter=~out),
        delivered=Count("pk", filter=Q(delivery=Delivery.DELIVERED)),
        undelivered=Count("pk", filter=Q(delivery=Delivery.FAILED)),
        tries=Sum("tries", default=0),
    )
    rate = statistics.conversion(since)
    return {
        "hours": hours,
        "codes_sent": {"sms": counts["sms"], "voice": counts["voice"]},
        "codes_entered": rate.entered,
        "conversion": rate.rate,
        "wrong_codes": max(0, counts["tries"] - rate.entered),
        "sends_failed": counts["failed"],
        "messages_delivered": counts["delivered"],
        "messages_undelivered": counts["undelivered"],
        "delivery_errors": _delivery_errors(recent),
        "recovery_codes_used": RecoveryCode.objects.filter(used_at__gte=since).count(),
        "users": active(get_user_model()._default_manager.all()).count(),
        "users_with_a_phone": _count_enrolled(),
        "users_locked": rules.locked().count(),
        "numbers_held": rules.count_held(),
    }


def _delivery_errors(challenges: QuerySet[Challenge]) -> list[dict[str, object]]:
    """Return the reasons why messages were not delivered, the most frequent one first."""
    failed = challenges.filter(delivery=Delivery.FAILED).order_by()
    counted = failed.values_list("delivery_error").annotate(messages=Count("pk"))
    errors = [
        (delivery_errors.explain(code), messages)
        for code, messages in counted.order_by("-messages", "delivery_error")
    ]
    return [
        {
            "code": error.code,
            "messages": messages,
            "means": error.means,
            "is_senders_fault": error.is_senders_fault,
        }
        for error, messages in errors
    ]


def _count_enrolled() -> int | None:
    """Return the number of active users with a phone; None if the site keeps the numbers itself."""
    enrolled = phone_source().enrolled_users()
    return None if enrolled is None else active(enrolled).count()


def active(users: QuerySet[Any]) -> QuerySet[Any]:
    """Return ``users`` without inactive ones.

    If the user model has no column ``is_active``, all of its users are active.
    """
    columns = {field.name for field in users.model._meta.get_fields()}
    return users.filter(is_active=True) if "is_active" in columns else users


def of_user(user: User) -> dict[str, object]:
    """Return the state of one user's second factor, with masked numbers and times in UTC."""
    challenges = Challenge.objects.filter(user=in_query(user))
    phones = phone_source().confirmed(user)
    sent = challenges.filter(failure="").order_by("-sent_at").first()
    passed = challenges.filter(passed_at__isnull=False).order_by("-passed_at").first()
    return {
        "user": user.get_username(),
        "phones": [
            {
                "number": phone.masked,
                "primary": phone.is_primary,
                "channel": phone.default_channel,
            }
            for phone in phones
        ],
        "recovery_codes_left": RecoveryCode.objects.left(user),
        "trusted_browsers": TrustedBrowser.objects.valid(user).count(),
        "locked": rules.is_locked(user),
        "wrong_codes_in_a_row": rules.count_failures(user),
        "seconds_until_try": rules.seconds_until_try(user),
        "seconds_until_send": seconds_until_send(user, phones),
        "last_code_sent": sent and sent.sent_at.isoformat(),
        "last_code_entered": passed and passed.passed_at and passed.passed_at.isoformat(),
    }


def seconds_until_send(user: User, phones: list[Phone]) -> int:
    """Return how long ``user`` must wait for the next login code, in seconds.

    The limits by address are left out, because the address of the next request is not known.

    :param phones: the user's confirmed phones.  The wait is for the first one.
    """
    first = phones[0] if phones else None
    return sending.seconds_until_send(
        user,
        first.number if first else None,
        purpose=Purpose.LOGIN,
        channel=first.default_channel if first else None,
    )
