"""The source of the users' phones: the app's own table, or the site (``GET_PHONES``).

All code that reads a user's phones uses :func:`phone_source`, so that no other module has to know
which of the two sources is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet
from django.utils import timezone

from ...conf import load, settings
from ...models import Phone
from ...types import User, in_query
from .. import rows
from ..rows import FILLED


class PhoneSource(Protocol):
    """The interface of a source of phones."""

    can_change: bool
    """Whether the app's pages may add, change and remove phones."""

    proves_numbers: bool
    """Whether each phone was confirmed by a code that the app sent to it."""

    def confirmed(self, user: User) -> list[Phone]:
        """Return the confirmed phones of ``user``, the primary one first."""

    def has_confirmed(self, user: User) -> bool:
        """Return whether ``user`` has a confirmed phone."""

    def enrolled_users(self) -> QuerySet[AbstractBaseUser] | None:
        """Return the users who have a phone; None if no query can find them."""


class OwnTable:
    """The source whose phones are rows of :class:`~django_bandwidth_mfa.models.Phone`."""

    can_change = True
    proves_numbers = True

    def confirmed(self, user: User) -> list[Phone]:
        phones = rows.find(Phone, {"user": user, "confirmed_at": FILLED})
        return sorted(
            phones, key=lambda phone: (not phone.is_primary, phone.confirmed_at, phone.pk)
        )

    def has_confirmed(self, user: User) -> bool:
        return rows.count(Phone, {"user": user, "confirmed_at": FILLED}) > 0

    def enrolled_users(self) -> QuerySet[AbstractBaseUser] | None:
        users = get_user_model()._default_manager
        return users.filter(pk__in=Phone.objects.confirmed().values("user"))


class SiteFunction:
    """The source for a site that keeps the numbers itself.

    Its phones are unsaved rows.  The first number is the primary one.

    :param get_phones: the function in ``GET_PHONES``.
    """

    can_change = False
    proves_numbers = False

    def __init__(self, get_phones: Callable[[User], list[str]]) -> None:
        self._get_phones = get_phones

    def confirmed(self, user: User) -> list[Phone]:
        now = timezone.now()
        return [
            Phone(user=in_query(user), number=number, is_primary=not place, confirmed_at=now)
            for place, number in enumerate(dict.fromkeys(self._get_phones(user)))
        ]

    def has_confirmed(self, user: User) -> bool:
        return bool(self.confirmed(user))

    def enrolled_users(self) -> QuerySet[AbstractBaseUser] | None:
        return None


def phone_source() -> PhoneSource:
    """Return the source for the present settings."""
    get_phones = settings.GET_PHONES
    return OwnTable() if get_phones is None else SiteFunction(load(get_phones))


def has_phone(user: User, choice: str) -> bool:
    """Return whether ``user`` has a confirmed phone with this identifier.

    :param choice: a :attr:`~django_bandwidth_mfa.models.Phone.choice`.
    """
    return phone_of_choice(phone_source().confirmed(user), choice) is not None


def phone_of_choice(phones: Iterable[Phone], choice: str | None) -> Phone | None:
    """Return the phone in ``phones`` with the identifier ``choice``; None if there is none.

    :param choice: a :attr:`~django_bandwidth_mfa.models.Phone.choice`.
    """
    return next((phone for phone in phones if phone.choice == choice), None)
