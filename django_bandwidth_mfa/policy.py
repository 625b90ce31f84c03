"""Who owes a code."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from . import conf
from .models import Phone


def owes_code(request: HttpRequest | None, user: Any) -> bool:
    """Whether ``user``'s password alone is not enough, under ``REQUIRED``.

    A function of the site's that raises lets nobody in: its error is not caught here.
    """
    required = conf.settings.REQUIRED
    if required == "never":
        return False
    if required == "all" or (required == "staff" and user.is_staff):
        return True
    if required in ("enrolled", "staff"):
        return Phone.objects.has_confirmed(user)
    return bool(conf.load(required)(request, user))


def owns_phone(user: Any, choice: str) -> bool:
    """Whether the phone that a session was verified with is still one of ``user``'s."""
    return any(phone.choice == choice for phone in Phone.objects.confirmed(user))
