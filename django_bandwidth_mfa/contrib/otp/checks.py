"""The system checks of this app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import connections, router
from django.utils.module_loading import import_string
from django_otp.middleware import OTPMiddleware

from ...models import Challenge
from .middleware import IsVerifiedMiddleware

__all__ = ["check_site"]

OURS = "django_bandwidth_mfa.contrib.otp.middleware.IsVerifiedMiddleware"


def check_site(app_configs: Sequence[Any] | None, **kwargs: object) -> list[CheckMessage]:
    """Check the order of the apps and of the middleware, and the transactions of SQLite."""
    return [*_order_of_apps(), *_order_of_middleware(), *_transactions()]


def _order_of_apps() -> list[CheckMessage]:
    names = [config.name for config in apps.get_app_configs()]
    ours, core = "django_bandwidth_mfa.contrib.otp", "django_bandwidth_mfa"
    if core not in names or names.index(ours) < names.index(core):
        return []
    return [
        Error(
            f'"{ours}" is after "{core}" in INSTALLED_APPS.',
            hint=f'Put it before "{core}". Otherwise a login with a code of a BandwidthDevice is '
            "asked for a second code.",
            id="bandwidth_mfa_otp.E001",
        )
    ]


def _order_of_middleware() -> list[CheckMessage]:
    others, ours = _place_of(OTPMiddleware), _place_of(IsVerifiedMiddleware)
    if others is not None and ours is not None and others < ours:
        return []
    return [
        Error(
            f'"{OURS}" is not after OTPMiddleware of django-otp in MIDDLEWARE.',
            hint="Put it after OTPMiddleware. Otherwise request.user.is_verified() is false after "
            "a login on the code page of django-bandwidth-mfa.",
            id="bandwidth_mfa_otp.E002",
        )
    ]


def _place_of(wanted: type) -> int | None:
    """Return the first place of ``wanted``, or of a subclass, in MIDDLEWARE; None if missing."""
    for place, path in enumerate(settings.MIDDLEWARE):
        middleware = import_string(path)
        if isinstance(middleware, type) and issubclass(middleware, wanted):
            return place
    return None


def _transactions() -> list[CheckMessage]:
    connection = connections[router.db_for_write(Challenge)]
    if connection.vendor != "sqlite" or not connection.settings_dict["ATOMIC_REQUESTS"]:
        return []
    return [
        Error(
            "A BandwidthDevice works on SQLite only without ATOMIC_REQUESTS.",
            hint="SQLite cannot count a wrong code outside of the transaction of the request. "
            "Set ATOMIC_REQUESTS to False, or use another database.",
            id="bandwidth_mfa_otp.E003",
        )
    ]
