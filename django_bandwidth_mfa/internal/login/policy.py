"""Who owes a code, under ``REQUIRED``."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest

from ...conf import load, settings
from ...types import StaffUser, User
from ..phones.source import phone_source


def owes_code(request: HttpRequest | None, user: User) -> bool:
    """Whether the password alone does not let ``user`` in.

    A function of the site that raises lets nobody in: its error is not caught here.
    """
    required = settings.REQUIRED
    if required == "never":
        return False
    if is_obliged(user):
        return True
    if required in ("enrolled", "staff"):
        return phone_source().has_confirmed(user)
    return bool(load(required)(request, user))


def is_obliged(user: User) -> bool:
    """Whether ``user`` owes a code even without a phone.

    Only ``"all"`` and ``"staff"`` are known here.  What a function of the site decides, only that
    function can tell.
    """
    required = settings.REQUIRED
    # A user without `is_staff` is an error, which lets nobody in; a default would let all in.
    return bool(required == "all" or (required == "staff" and cast(StaffUser, user).is_staff))
