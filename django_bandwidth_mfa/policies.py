"""The policies for ``REQUIRED``: which users owe a code at login, and how policies are combined.

::

    from datetime import date

    from django_bandwidth_mfa.policies import any_of, enrolled, from_date, staff

    BANDWIDTH_MFA = {
        **from_env(env),
        "REQUIRED": any_of(enrolled, from_date(date(2027, 3, 1), staff)),
    }

A settings file imports this module.  So a policy is only a description, and nothing here raises:
``manage.py check`` reports each mistake.  ``internal/login/policy.py`` evaluates the policies.

A function of the site can be used wherever a policy can: ``f(request, user) -> bool`` returns
whether ``user`` owes a code.  ``request`` can be None: in a WebSocket, for a token, or in a report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

__all__ = [
    "Policy",
    "all_of",
    "any_of",
    "enrolled",
    "everyone",
    "from_date",
    "groups",
    "other_factor",
    "own_factor",
    "staff",
    "unless",
]

REMIND_DAYS = 30


class Policy:
    """A description of the users who owe a code at login.

    Policies with equal contents are equal.

    >>> any_of(enrolled, staff) == any_of(enrolled, staff)
    True
    """

    @property
    def parts(self) -> tuple[Part, ...]:
        """The policies and functions that this one combines."""
        return ()

    def own_problems(self) -> Iterator[str]:
        """Yield one sentence for each mistake in this policy itself, not in its parts."""
        yield from ()


Function: TypeAlias = Callable[[Any, Any], bool]
Part: TypeAlias = Policy | Function


@dataclass(frozen=True)
class Staff(Policy):
    """Users whose ``is_staff`` is true."""


@dataclass(frozen=True)
class Everyone(Policy):
    """All users."""


@dataclass(frozen=True)
class Nobody(Policy):
    """No user.  ``REQUIRED = "never"`` has this meaning."""


@dataclass(frozen=True)
class Enrolled(Policy):
    """Users who have a confirmed phone."""


@dataclass(frozen=True)
class OtherFactor(Policy):
    """Users who have passed a second factor of another package in this same login."""


@dataclass(frozen=True)
class OwnFactor(Policy):
    """Users with a second factor of the site's own: ``has_one(user)`` is true."""

    has_one: Callable[[Any], bool]

    def own_problems(self) -> Iterator[str]:
        if not callable(self.has_one):
            yield f"own_factor() needs a function f(user) -> bool, not {self.has_one!r}."


@dataclass(frozen=True)
class Groups(Policy):
    """Members of at least one of the groups called ``names``."""

    names: tuple[str, ...]

    def own_problems(self) -> Iterator[str]:
        if not self.names or not all(isinstance(name, str) and name for name in self.names):
            yield "groups() needs one or more names of groups."


@dataclass(frozen=True)
class Combination(Policy):
    """A policy that is made of other ``policies``."""

    policies: tuple[Part, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.policies


@dataclass(frozen=True)
class AnyOf(Combination):
    """Users that at least one of ``policies`` selects."""

    def own_problems(self) -> Iterator[str]:
        if not self.policies:
            yield "any_of() needs at least one policy. Without one, nobody is asked for a code."


@dataclass(frozen=True)
class AllOf(Combination):
    """Users that each of ``policies`` selects."""

    def own_problems(self) -> Iterator[str]:
        if not self.policies:
            yield "all_of() needs at least one policy."


@dataclass(frozen=True)
class Unless(Policy):
    """Users that ``policy`` selects and ``exception`` does not select."""

    exception: Part
    policy: Part

    @property
    def parts(self) -> tuple[Part, ...]:
        return (self.exception, self.policy)


@dataclass(frozen=True)
class FromDate(Policy):
    """Nobody before ``day``; from then on, the users that ``policy`` selects."""

    day: date
    policy: Part
    remind_days: int = REMIND_DAYS

    @property
    def parts(self) -> tuple[Part, ...]:
        return (self.policy,)

    def own_problems(self) -> Iterator[str]:
        if not isinstance(self.day, date) or isinstance(self.day, datetime):
            yield f"from_date() needs a date, such as date(2027, 3, 1), not {self.day!r}."
        days = self.remind_days
        if not isinstance(days, int) or isinstance(days, bool) or days < 0:
            yield f"remind_days of from_date() must be a whole number of days, not {days!r}."


# For settings -----------------------------------------------------------------------------------

staff = Staff()
"""Users who may use the admin (``is_staff``)."""

everyone = Everyone()
"""All users.  Users without a phone must add one at their next login."""

enrolled = Enrolled()
"""Users who have a confirmed phone.

Most sites want this policy: a user who has added a phone expects to be asked for a code.  The words
``"staff"`` and ``"enrolled"`` of ``REQUIRED`` include it.  A policy includes it only if it names
it.
"""

other_factor = OtherFactor()
"""Users who have passed a one-time password (TOTP) or a passkey of django-allauth in this login.

Use it as the first argument of :func:`unless`: ``unless(other_factor, everyone)``.  The factor must
belong to this user and to this login, and the user must still have its authenticator.  Recovery
codes of allauth, its trusted browsers and its login by code do not count.
"""


def groups(*names: str) -> Policy:
    """Return a policy that selects the members of any of the groups called ``names``.

    :param names: names of :class:`django.contrib.auth.models.Group` rows.
    """
    return Groups(names)


def own_factor(has_one: Callable[[Any], bool]) -> Policy:
    """Return a policy that selects the users who have a second factor of the site's own.

    The login of such a user is parked until a page of the site calls
    :func:`.service.complete_login`, or until the user types a code.  With the password alone such a
    user cannot add a first phone.  Otherwise somebody who has stolen the password could add a phone
    and never need the factor.

    :param has_one: ``f(user) -> bool``: whether the user has such a factor.
    """
    return OwnFactor(has_one)


def any_of(*policies: Part) -> Policy:
    """Return a policy that selects the users that at least one of ``policies`` selects."""
    return AnyOf(policies)


def all_of(*policies: Part) -> Policy:
    """Return a policy that selects the users that each of ``policies`` selects."""
    return AllOf(policies)


def unless(exception: Part, policy: Part) -> Policy:
    """Return a policy that selects the users of ``policy``, without those of ``exception``.

    ::

        unless(groups("kiosk"), staff)
    """
    return Unless(exception, policy)


def from_date(day: date, policy: Part, *, remind_days: int = REMIND_DAYS) -> Policy:
    """Return a policy that selects nobody before ``day``, and the users of ``policy`` from then on.

    In the last days before ``day``, users who will need a phone and have none see a reminder after
    each login.  It names the day, and links to the page on which they add a phone.
    ``mfa_status --missing`` and a filter in the admin list these users.

    Before ``day``, users who already have a phone are asked for a code only if another policy
    selects them: ``any_of(enrolled, from_date(...))``.

    :param day: the first day; it begins at midnight in ``TIME_ZONE``.
    :param remind_days: for how many days before ``day`` the reminder is shown; 0 for no reminder.
    """
    return FromDate(day, policy, remind_days)


# For the rest of the app ------------------------------------------------------------------------


def walk(part: Part) -> Iterator[Part]:
    """Yield ``part`` and, recursively, every policy and function that it combines."""
    yield part
    if isinstance(part, Policy):
        for one in part.parts:
            yield from walk(one)


def problems(part: object, *, is_exception: bool = False) -> Iterator[str]:
    """Yield one sentence for each mistake in ``part`` and in the policies that it combines.

    :param is_exception: whether ``part`` selects the users who are *not* asked for a code.
    """
    if isinstance(part, Policy):
        yield from part.own_problems()
        if isinstance(part, OtherFactor) and not is_exception:
            yield (
                "Use other_factor only as the first argument of unless(). Otherwise only users who "
                "have passed another factor are asked for a code."
            )
        if isinstance(part, OwnFactor) and is_exception:
            yield (
                "Do not use own_factor in the first argument of unless(). Users who have such a "
                "factor could then sign in with the password alone."
            )
        if isinstance(part, Unless):
            yield from problems(part.exception, is_exception=not is_exception)
            yield from problems(part.policy, is_exception=is_exception)
        else:
            for one in part.parts:
                yield from problems(one, is_exception=is_exception)
    elif part in (groups, own_factor, any_of, all_of, unless, from_date) or isinstance(part, type):
        name = getattr(part, "__name__", part)
        yield f"{name} is not a policy. Call it with its arguments: {name}(...)."
    elif not callable(part):
        yield (
            f"{part!r} is not a policy. Use one of django_bandwidth_mfa.policies, or a function."
        )
