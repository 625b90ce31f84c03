"""The offer of a phone to users who do not have to have one."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from ...models import SecondFactor
from ...types import User, in_query
from .source import phone_source

# For so many days "not now" is the user's answer.
SUGGEST_DAYS = 30


def may_suggest(user: User) -> bool:
    """Return whether ``user`` has no phone, could add one, and has not said "not now" lately."""
    source = phone_source()
    if not source.can_change or source.has_confirmed(user):
        return False
    long_ago = timezone.now() - timedelta(days=SUGGEST_DAYS)
    return not SecondFactor.objects.filter(user=in_query(user), declined_at__gt=long_ago).exists()


def decline(user: User) -> None:
    """Note that ``user`` does not want a phone now."""
    SecondFactor.objects.update_or_create(
        user=in_query(user), defaults={"declined_at": timezone.now()}
    )
