"""Figures for people: how the second factor fares, for the whole site and for one user.

``manage.py mfa_status`` prints them; :func:`low_conversion` is what the alarm goes by.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from .conf import settings
from .internal.limits import rules, store
from .internal.notify import statistics
from .internal.notify.statistics import Conversion
from .models import Challenge, Delivery, Phone, RecoveryCode, TrustedBrowser

CONVERSION_SECONDS = 3600

# Seconds between two looks, by all workers together.
LOOK_EVERY = 600


def low_conversion() -> Conversion | None:
    """The last hour's figure, if it is low and no worker has looked in the last ten minutes.

    Codes that can still be typed are left out.
    """
    if not store.is_due("conversion", LOOK_EVERY):
        return None
    until = timezone.now() - timedelta(minutes=settings.EXPIRATION_MINUTES)
    found = statistics.conversion(until - timedelta(seconds=CONVERSION_SECONDS), until)
    return found if found.is_low else None


def of_site(hours: int = 24) -> dict[str, Any]:
    """What happened in the last ``hours``, and how things stand.  No key is ever taken away."""
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
        "recovery_codes_used": RecoveryCode.objects.filter(used_at__gte=since).count(),
        "users": _active_users().count(),
        "users_with_a_phone": _enrolled(),
        "users_locked": rules.count_locked(),
        "numbers_held": rules.count_held(),
    }


def _enrolled() -> int | None:
    """None where the site keeps the numbers itself: asking for each user would take too long."""
    if settings.GET_PHONES is not None:
        return None
    confirmed = Phone.objects.filter(confirmed_at__isnull=False, user__in=_active_users())
    return confirmed.values("user").distinct().count()


def _active_users() -> QuerySet[Any]:
    """A user model need not keep ``is_active`` in a column: all of its users are active then."""
    users = get_user_model()._default_manager.all()
    kept = {field.name for field in users.model._meta.get_fields()}
    return users.filter(is_active=True) if "is_active" in kept else users


def of_user(user: Any) -> dict[str, Any]:
    """One user's second factor: numbers masked, times in UTC."""
    challenges = Challenge.objects.filter(user=user)
    sent = challenges.filter(failure="").order_by("-sent_at").first()
    passed = challenges.filter(passed_at__isnull=False).order_by("-passed_at").first()
    return {
        "user": user.get_username(),
        "phones": [
            {"number": phone.masked, "primary": phone.is_primary}
            for phone in Phone.objects.confirmed(user)
        ],
        "recovery_codes_left": RecoveryCode.objects.left(user),
        "trusted_browsers": TrustedBrowser.objects.valid(user).count(),
        "locked": rules.is_locked(user),
        "wrong_codes_in_a_row": rules.failures(user),
        "seconds_until_try": rules.seconds_until_try(user),
        "seconds_until_send": rules.seconds_until_send(user),
        "last_code_sent": sent and sent.sent_at.isoformat(),
        "last_code_entered": passed and passed.passed_at and passed.passed_at.isoformat(),
    }


__all__ = ["low_conversion", "of_site", "of_user"]
