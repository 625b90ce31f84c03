"""Who owes a code, under ``REQUIRED``.

A policy is data (:mod:`~django_bandwidth_mfa.policies`).  Here it is asked, in three ways: does
this login owe a code, would its user owe one without a phone, and which users need a phone.
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

# What the words of REQUIRED mean.  The cheaper question comes first.
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
    """Return whether the password alone does not let ``user`` in.

    A function of the site that raises lets nobody in: its error is not caught here.
    """
    return _means(in_force(), _Login(user, today(), request))


def owes_code_for_token(request: HttpRequest | None, user: User) -> bool:
    """Return whether the password alone gives ``user`` no token.

    A session that comes beside the password, or beside the token, lends it nothing: not the other
    factor that has passed there either.
    """
    return _means(in_force(), _TokenLogin(user, today(), request))


def is_obliged(user: User) -> bool:
    """Return whether ``user`` owes a code even without a phone.

    What a function of the site decides, only that function can tell.
    """
    return _means(in_force(), _WithoutPhone(user, today()))


def has_other_factor(user: User) -> bool:
    """Return whether ``user`` has another factor than a phone, and could sign in with it
    instead."""
    takes_allauths = any(isinstance(part, OtherFactor) for part in walk(in_force()))
    return _has_own_factor(user) or (takes_allauths and other_factor.has_one(user))


def _has_own_factor(user: User) -> bool:
    """Return whether ``user`` has a factor of the site's own, which finishes any login."""
    return any(isinstance(part, OwnFactor) and part.has_one(user) for part in walk(in_force()))


def today() -> date:
    """Return the day that it is in ``TIME_ZONE``, wherever the visitor is."""
    return datetime.now(timezone.get_default_timezone()).date()


# Before the day of a `from_date` ----------------------------------------------------------------


def day_of_need(user: User, *, request: HttpRequest | None = None) -> date | None:
    """Return from which day on ``user`` needs a phone; None if they never will.

    A user with another factor that the policy takes needs none.  For a user who needs one already
    it is today.

    :param request: for functions of the site.
    """
    part, now = in_force(), today()
    if _has_own_factor(user):
        return None
    look = _InNeed(user, now, request)
    days = (day for day in days_of(part) if day >= now)
    return next((day for day in days if _means(part, replace(look, today=day))), None)


def day_to_remind_of(user: User, *, request: HttpRequest | None = None) -> date | None:
    """Return the day from which on ``user`` needs a phone, if it is time to remind them of it."""
    part, now = in_force(), today()
    found = [one for one in walk(part) if isinstance(one, FromDate)]
    soon = {one.day for one in found if now < one.day <= now + timedelta(one.remind_days)}
    if not soon or phone_source().has_confirmed(user):
        return None
    day = day_of_need(user, request=request)
    return day if day in soon else None


def days_of(part: Part) -> list[date]:
    """Return today and the later days on which ``part`` begins to mean more users, in order."""
    now = today()
    later = {one.day for one in walk(part) if isinstance(one, FromDate) and one.day > now}
    return [now, *sorted(later)]


def needs_by_day() -> list[tuple[date, Q]] | None:
    """Return today and each later day that is known, with the condition for who needs a phone then.

    None if only a call for each user could tell: a function of the site decides.
    """
    part = in_force()
    found = [(day, _condition(part, day)) for day in days_of(part)]
    known = [(day, condition) for day, condition in found if condition is not None]
    return known if len(known) == len(found) else None


# Asking ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Look:
    """One question about ``user``, as of the day ``today``.

    The answers of this class are those that no question differs in.
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
    """Does this login owe a code?"""

    def is_enrolled(self) -> bool:
        return phone_source().has_confirmed(self.user)

    def has_shown_other_factor(self) -> bool:
        return other_factor.has_passed(self.request, self.user)

    def has_own_factor(self, has_one: Callable[[User], bool]) -> bool:
        return bool(has_one(self.user))

    def ask(self, function: Function) -> bool:
        answer = function(self.request, self.user)
        if isinstance(answer, Policy):
            # `REQUIRED = groups`, say: any object counts as true.
            raise ImproperlyConfigured(f"{function!r} answers with a policy, not with a bool.")
        return bool(answer)


class _TokenLogin(_Login):
    """Does this login by token owe a code?"""

    def has_shown_other_factor(self) -> bool:
        return False


class _WithoutPhone(_Look):
    """Would the user owe a code without any phone?"""

    def is_enrolled(self) -> bool:
        return False

    def has_shown_other_factor(self) -> bool:
        return False

    def has_own_factor(self, has_one: Callable[[User], bool]) -> bool:
        return False

    def ask(self, function: Function) -> bool:
        return False


class _InNeed(_Login):
    """Does the user need a phone to sign in?"""

    def is_enrolled(self) -> bool:
        return False

    def has_shown_other_factor(self) -> bool:
        # Who has one would show it.
        return other_factor.has_one(self.user)


def _means(part: Part, look: _Look) -> bool:
    """Return whether ``part`` means the user of ``look``."""
    match part:
        case Staff():
            # A user without `is_staff` is an error, which lets nobody in; a default would let all
            # in.
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
            raise ImproperlyConfigured(f"{part!r} is no policy.")


def _some(policies: tuple[Part, ...]) -> tuple[Part, ...]:
    # `any_of()` would let everybody in.
    if not policies:
        raise ImproperlyConfigured("A policy that combines no policies means nothing.")
    return policies


def _condition(part: Part, day: date) -> Q | None:
    """Return the condition for the users for whom :class:`_InNeed` says yes on ``day``.

    An empty ``Q()`` is none of them: Django drops it from "or", where it would mean all users.

    :returns: None if only a call for each user could tell.
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
            found = [_condition(one, day) for one in _some(policies)]
            return _joined(found, Q.OR if isinstance(part, AnyOf) else Q.AND)
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
    """Yield the names in the policy that no group has: a policy with one of them means nobody."""
    from django.contrib.auth.models import Group

    for part in walk(in_force()):
        if isinstance(part, Groups):
            known = set(
                Group._default_manager.filter(name__in=part.names).values_list("name", flat=True)
            )
            yield from sorted(set(part.names) - known)
