"""Who owes a code, and who might like to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from . import conf
from .models import Phone, SecondFactor

# How long "not now" is an answer, when a phone is suggested.
SUGGEST_DAYS = 30


def owes_code(request: HttpRequest | None, user: Any) -> bool:
    """Whether ``user``'s password alone is not enough, under ``REQUIRED``.

    A function of the site's that raises lets nobody in: its error is not caught here.
    """
    required = conf.settings.REQUIRED
    if required == "never":
        return False
    if obliges(user):
        return True
    if required in ("enrolled", "staff"):
        return Phone.objects.has_confirmed(user)
    return bool(conf.load(required)(request, user))


def obliges(user: Any) -> bool:
    """Whether ``user`` owes a code with a phone or without, as far as ``REQUIRED`` says so itself:
    what a function of the site's thinks of it, only the function knows."""
    required = conf.settings.REQUIRED
    return bool(required == "all" or (required == "staff" and user.is_staff))


def may_suggest(user: Any) -> bool:
    """Whether ``user`` has no phone, could add one, and has not said "not now" lately."""
    if conf.settings.GET_PHONES is not None or Phone.objects.has_confirmed(user):
        return False
    long_ago = timezone.now() - timedelta(days=SUGGEST_DAYS)
    return not SecondFactor.objects.filter(user=user, declined_at__gt=long_ago).exists()


def owns_phone(user: Any, choice: str) -> bool:
    """Whether the phone that a session was verified with is still one of ``user``'s."""
    return any(phone.choice == choice for phone in Phone.objects.confirmed(user))
