"""The suggestion to add a phone, for users who do not need one."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from ...models import SecondFactor
from ...types import User, in_query
from .source import phone_source

# For so many days after "not now" the suggestion is not shown.
SUGGEST_DAYS = 30


def may_suggest(user: User) -> bool:
    """Return whether ``user`` can add a first phone, and has not answered "not now" lately."""
    source = phone_source()
    if not source.can_change or source.has_confirmed(user):
        return False
    long_ago = timezone.now() - timedelta(days=SUGGEST_DAYS)
    return not SecondFactor.objects.filter(user=in_query(user), declined_at__gt=long_ago).exists()


def decline(user: User) -> None:
    """Record that ``user`` has answered "not now"."""
    SecondFactor.objects.update_or_create(
        user=in_query(user), defaults={"declined_at": timezone.now()}
    )
