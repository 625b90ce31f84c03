"""Evaluate the policy in ``REQUIRED``: who owes a code.

A policy is only data (:mod:`~django_bandwidth_mfa.policies`).  The functions here answer three
questions: whether a login owes a code, whether its user would owe one even without a phone, and
which users need a phone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import router
from django.db.models import Field, Q
from django.http import HttpRequest
from django.utils import timezone

from ...conf import load, settings
from ...policies import (
    AllOf,
    AnyOf,
    Enrolled,
    Everyone,
    FromDate,
    Function,
    Groups,
    Nobody,
    OtherFactor,
    OwnFactor,
    Part,
    Policy,
    Staff,
    Unless,
    enrolled,
    everyone,
    staff,
    walk,
)
from ...types import StaffUser, User
from ..phones.source import phone_source
from . import other_factor

# The meaning of the words for REQUIRED.  The cheaper policy comes first.
WORDS: dict[str, Policy] = {
    "enrolled": enrolled,
    "staff": AnyOf((staff, enrolled)),
    "all": everyone,
    "never": Nobody(),
}


def in_force() -> Part:
    """Return the policy that ``REQUIRED`` names."""
    required = settings.REQUIRED
    if isinstance(required, Policy):
        return required
    if isinstance(required, str) and required in WORDS:
        return WORDS[required]
    return load(required)


def owes_code(request: HttpRequest | None, user: User) -> bool:
    """Return whether ``user`` owes a code after the password.

    If a function of the site raises, the error is not caught here, and the user is not logged in.
    """
    return _means(in_force(), _Login(user, today(), request))


def owes_code_for_token(request: HttpRequest | None, user: User) -> bool:
    """Return whether ``user`` owes a code before they get a token for their password.

    If the request also has a session, that session does not count, even if another factor has
    passed in it.
    """
    return _means(in_force(), _TokenLogin(user, today(), request))


def would_owe_code_with_phone(request: HttpRequest | None, user: User) -> bool:
    """Return whether ``user``, who has no phone now, would owe a code with one."""
    return _means(in_force(), _WithPhone(user, today(), request))


def is_obliged(user: User) -> bool:
    """Return whether ``user`` would owe a code even without a phone.

    Functions of the site are not called: they count as false.
    """
    return _means(in_force(), _WithoutPhone(user, today()))


def has_other_factor(user: User) -> bool:
    """Return whether ``user`` could sign in with another factor than a phone."""
    takes_allauths = any(isinstance(part, OtherFactor) for part in walk(in_force()))
    return _has_own_factor(user) or (takes_allauths and other_factor.has_one(user))


def _has_own_factor(user: User) -> bool:
    """Return whether ``user`` has a factor of the site's own, which can complete any login."""
    return any(isinstance(part, OwnFactor) and part.has_one(user) for part in walk(in_force()))


def today() -> date:
    """Return the present day in ``TIME_ZONE``, whatever the time zone of the visitor is."""
    return datetime.now(timezone.get_default_timezone()).date()


# Before the day of a `from_date` ----------------------------------------------------------------


def day_of_need(user: User, *, request: HttpRequest | None = None) -> date | None:
    """Return the day from which on ``user`` needs a phone; None if they never need one.

    For a user who already needs a phone it is today.  A user with another factor that the policy
    accepts needs no phone.

    :param request: the current request, for functions of the site.
    """
    part, now = in_force(), today()
    if _has_own_factor(user):
        return None
    look = _InNeed(user, now, request)
    days = (day for day in days_of(part) if day >= now)
    return next((day for day in days if _means(part, replace(look, today=day))), None)


def day_to_remind_of(user: User, *, request: HttpRequest | None = None) -> date | None:
    """Return the day from which on ``user`` needs a phone, if it is near; None otherwise."""
    part, now = in_force(), today()
    parts = [one for one in walk(part) if isinstance(one, FromDate)]
    soon = {one.day for one in parts if now < one.day <= now + timedelta(one.remind_days)}
    if not soon or phone_source().has_confirmed(user):
        return None
    day = day_of_need(user, request=request)
    return day if day in soon else None


def days_of(part: Part) -> list[date]:
    """Return today and the later days on which ``part`` selects more users, in order."""
    now = today()
    later = {one.day for one in walk(part) if isinstance(one, FromDate) and one.day > now}
    return [now, *sorted(later)]


def needs_by_day() -> list[tuple[date, Q]] | None:
    """Return today and the later days of the policy, each with the users who need a phone then.

    The users are a query condition.  The result is None if no query can find them, because a
    function of the site decides.
    """
    part = in_force()
    conditions = [(day, _condition(part, day)) for day in days_of(part)]
    known = [(day, condition) for day, condition in conditions if condition is not None]
    return known if len(known) == len(conditions) else None


# Asking ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Look:
    """A question about ``user`` on the day ``today``.

    The subclasses give the answers that depend on the question.
    """

    user: User
    today: date
    request: HttpRequest | None = None

    def is_enrolled(self) -> bool:
        raise NotImplementedError

    def has_shown_other_factor(self) -> bool:
        raise NotImplementedError

    def ask(self, function: Function) -> bool:
        raise NotImplementedError

    def has_own_factor(self, has_one: Callable[[User], bool]) -> bool:
        raise NotImplementedError

    def is_in_group(self, names: tuple[str, ...]) -> bool:
        groups = cast(Any, self.user).groups.filter(name__in=names)
        return bool(groups.using(router.db_for_write(groups.model)).exists())


class _Login(_Look):
    """The question whether a login owes a code."""

    def is_enrolled(self) -> bool:
        return phone_source().has_confirmed(self.user)

    def has_shown_other_factor(self) -> bool:
        return other_factor.has_passed(self.request, self.user)

    def has_own_factor(self, has_one: Callable[[User], bool]) -> bool:
        return bool(has_one(self.user))

    def ask(self, function: Function) -> bool:
        answer = function(self.request, self.user)
        if isinstance(answer, Policy):
            # A mistake such as `REQUIRED = groups`.  Without this error the policy object would
            # count as true.
            raise ImproperlyConfigured(
                f"{function!r} in REQUIRED must return True or False, but it returns a policy."
            )
        return bool(answer)


class _TokenLogin(_Login):
    """The question whether a login by token owes a code."""

    def has_shown_other_factor(self) -> bool:
        return False


class _WithPhone(_Login):
    """The question whether a login would owe a code if the user had a phone."""

    def is_enrolled(self) -> bool:
        return True


class _WithoutPhone(_Look):
    """The question whether the user would owe a code without a phone."""

    def is_enrolled(self) -> bool:
        return False

    def has_shown_other_factor(self) -> bool:
        return False

    def has_own_factor(self, has_one: Callable[[User], bool]) -> bool:
        return False

    def ask(self, function: Function) -> bool:
        return False


class _InNeed(_Login):
    """The question whether the user needs a phone to sign in."""

    def is_enrolled(self) -> bool:
        return False

    def has_shown_other_factor(self) -> bool:
        # A user who has another factor can show it at the login.
        return other_factor.has_one(self.user)


def _means(part: Part, look: _Look) -> bool:
    """Return whether ``part`` selects the user of ``look``."""
    match part:
        case Staff():
            # A user model without `is_staff` raises an error, so nobody is logged in.  A default of
            # False would let everybody in without a code.
            return bool(cast(StaffUser, look.user).is_staff)
        case Everyone():
            return True
        case Nobody():
            return False
        case Enrolled():
            return look.is_enrolled()
        case OtherFactor():
            return look.has_shown_other_factor()
        case OwnFactor(has_one):
            return look.has_own_factor(has_one)
        case Groups(names):
            return look.is_in_group(names)
        case AnyOf(policies):
            return any(_means(one, look) for one in _some(policies))
        case AllOf(policies):
            return all(_means(one, look) for one in _some(policies))
        case Unless(exception, policy):
            return _means(policy, look) and not _means(exception, look)
        case FromDate(day, policy):
            return look.today >= day and _means(policy, look)
        case _ if callable(part) and not isinstance(part, type):
            return look.ask(part)
        case _:
            raise ImproperlyConfigured(f"{part!r} in REQUIRED is not a policy.")


def _some(policies: tuple[Part, ...]) -> tuple[Part, ...]:
    # `any_of()` would select nobody, so everybody could sign in without a code.
    if not policies:
        raise ImproperlyConfigured("any_of() and all_of() in REQUIRED need at least one policy.")
    return policies


def _condition(part: Part, day: date) -> Q | None:
    """Return the query condition for the users who need a phone on ``day`` by :class:`_InNeed`.

    It is never an empty ``Q()``, which means "all users": Django would drop it from an "or".

    :returns: the condition; None if no query can find these users.
    """
    match part:
        case Staff():
            return Q(is_staff=True) if _has_column("is_staff") else None
        case Everyone():
            return Q(pk__isnull=False)
        case Nobody() | Enrolled():
            return Q(pk__in=())
        case OtherFactor():
            return other_factor.users()
        case Groups(names):
            members = get_user_model()._default_manager.filter(groups__name__in=names)
            return Q(pk__in=members.values("pk"))
        case AnyOf(policies) | AllOf(policies):
            conditions = [_condition(one, day) for one in _some(policies)]
            return _joined(conditions, Q.OR if isinstance(part, AnyOf) else Q.AND)
        case Unless(exception, policy):
            meant, spared = _condition(policy, day), _condition(exception, day)
            return None if meant is None or spared is None else meant & ~spared
        case FromDate(begin, policy):
            return _condition(policy, day) if day >= begin else Q(pk__in=())
        case _:
            return None


def _joined(conditions: list[Q | None], how: str) -> Q | None:
    known = [one for one in conditions if one is not None]
    return Q(*known, _connector=how) if len(known) == len(conditions) else None


def _has_column(name: str) -> bool:
    try:
        return isinstance(get_user_model()._meta.get_field(name), Field)
    except FieldDoesNotExist:
        return False


def unknown_groups() -> Iterator[str]:
    """Yield the group names in the policy that do not exist; such a name selects nobody."""
    from django.contrib.auth.models import Group

    for part in walk(in_force()):
        if isinstance(part, Groups):
            known = set(
                Group._default_manager.filter(name__in=part.names).values_list("name", flat=True)
            )
            yield from sorted(set(part.names) - known)
