"""Where the phones of users are kept: in the app's own table, or by the site (``GET_PHONES``).

Everything that reads a user's phones asks :func:`phone_source`, so that no other module has to
know which of the two is in force.
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
    """What the app asks about the phones of a user."""

    can_change: bool
    """Whether the app's pages may add, change and remove phones."""

    proves_numbers: bool
    """Whether each phone was confirmed by a code that the app sent to it."""

    def confirmed(self, user: User) -> list[Phone]:
        """Return the phones that login codes of ``user`` may go to, the primary one first."""

    def has_confirmed(self, user: User) -> bool:
        """Return whether ``user`` is enrolled: has a phone that codes can go to."""

    def enrolled_users(self) -> QuerySet[AbstractBaseUser] | None:
        """Return the users who have a phone.

        None if only a call for each user could tell.
        """


class OwnTable:
    """Phones are rows of :class:`~django_bandwidth_mfa.models.Phone`."""

    can_change = True
    proves_numbers = True

    def confirmed(self, user: User) -> list[Phone]:
        found = rows.find(Phone, {"user": user, "confirmed_at": FILLED})
        return sorted(found, key=lambda phone: (not phone.is_primary, phone.confirmed_at, phone.pk))

    def has_confirmed(self, user: User) -> bool:
        return rows.count(Phone, {"user": user, "confirmed_at": FILLED}) > 0

    def enrolled_users(self) -> QuerySet[AbstractBaseUser] | None:
        users = get_user_model()._default_manager
        return users.filter(pk__in=Phone.objects.confirmed().values("user"))


class SiteFunction:
    """The site keeps the numbers; its function returns those of a user.

    The phones it makes are not saved.  The first number is the primary one.

    :param get_phones: the function that ``GET_PHONES`` names.
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
    """Return the source that the settings name."""
    get_phones = settings.GET_PHONES
    return OwnTable() if get_phones is None else SiteFunction(load(get_phones))


def has_phone(user: User, choice: str) -> bool:
    """Return whether the phone that ``choice`` names is one of ``user``.

    :param choice: a :attr:`~django_bandwidth_mfa.models.Phone.choice`.
    """
    return phone_of_choice(phone_source().confirmed(user), choice) is not None


def phone_of_choice(phones: Iterable[Phone], choice: str | None) -> Phone | None:
    """Return the one of ``phones`` that ``choice`` names; None if it names none of them.

    :param choice: a :attr:`~django_bandwidth_mfa.models.Phone.choice`.
    """
    return next((phone for phone in phones if phone.choice == choice), None)
