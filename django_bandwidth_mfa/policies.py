"""Who owes a code at login: the policies for ``REQUIRED``, and how they are combined.

::

    from datetime import date

    from django_bandwidth_mfa.policies import any_of, enrolled, from_date, staff

    BANDWIDTH_MFA = {
        **from_env(env),
        "REQUIRED": any_of(enrolled, from_date(date(2027, 3, 1), staff)),
    }

A settings file imports this module.  So a policy only says what is wanted, and nothing is raised
here: ``manage.py check`` names each mistake.  ``internal/login/policy.py`` asks the questions.

Where a policy stands, a function of the site can stand, too: ``f(request, user) -> bool`` says
whether ``user`` owes a code.  ``request`` can be None: in a WebSocket, for a token, in a report.
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
    """Says who owes a code at login.  Two policies that ask for the same are equal."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """The policies and functions that this one combines."""
        return ()

    def own_problems(self) -> Iterator[str]:
        """Yield what is wrong with this policy, its parts aside, as whole sentences."""
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
    """No user: ``REQUIRED = "never"``."""


@dataclass(frozen=True)
class Enrolled(Policy):
    """Users who have a confirmed phone."""


@dataclass(frozen=True)
class OtherFactor(Policy):
    """Users who have passed a second factor of another package in this very login."""


@dataclass(frozen=True)
class OwnFactor(Policy):
    """Users who have a second factor of the site's own, as ``has_one`` says."""

    has_one: Callable[[Any], bool]

    def own_problems(self) -> Iterator[str]:
        if not callable(self.has_one):
            yield f"own_factor() takes a function of a user, not {self.has_one!r}."


@dataclass(frozen=True)
class Groups(Policy):
    """Members of one of the groups with these ``names``."""

    names: tuple[str, ...]

    def own_problems(self) -> Iterator[str]:
        if not self.names or not all(isinstance(name, str) and name for name in self.names):
            yield "groups() takes the names of groups."


@dataclass(frozen=True)
class AnyOf(Policy):
    """Users whom one of ``policies`` means."""

    policies: tuple[Part, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.policies

    def own_problems(self) -> Iterator[str]:
        if not self.policies:
            yield "any_of() without a policy asks nobody for a code."


@dataclass(frozen=True)
class AllOf(Policy):
    """Users whom each of ``policies`` means."""

    policies: tuple[Part, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.policies

    def own_problems(self) -> Iterator[str]:
        if not self.policies:
            yield "all_of() needs a policy."


@dataclass(frozen=True)
class Unless(Policy):
    """Users whom ``policy`` means, and ``exception`` does not."""

    exception: Part
    policy: Part

    @property
    def parts(self) -> tuple[Part, ...]:
        return (self.exception, self.policy)


@dataclass(frozen=True)
class FromDate(Policy):
    """From the beginning of ``day`` on: the users whom ``policy`` means."""

    day: date
    policy: Part
    remind_days: int = REMIND_DAYS

    @property
    def parts(self) -> tuple[Part, ...]:
        return (self.policy,)

    def own_problems(self) -> Iterator[str]:
        if not isinstance(self.day, date) or isinstance(self.day, datetime):
            yield f"from_date() takes a day such as date(2027, 3, 1), not {self.day!r}."
        days = self.remind_days
        if not isinstance(days, int) or isinstance(days, bool) or days < 0:
            yield f"from_date() takes a whole number of days as remind_days, not {days!r}."


# For settings -----------------------------------------------------------------------------------

staff = Staff()
"""Users who may use the admin (``is_staff``)."""

everyone = Everyone()
"""All users.  Those without a phone add one at their next login."""

enrolled = Enrolled()
"""Users who have a confirmed phone.

Most sites want it: what a person has switched on is then used.  The words "staff" and "enrolled" of
``REQUIRED`` include it; of policies, only those that name it do.
"""

other_factor = OtherFactor()
"""Users who have passed a one-time password (TOTP) or a passkey of django-allauth in this login.

It is for the first place of :func:`unless`: ``unless(other_factor, everyone)``.  What counts is a
factor of this very user and login, whose authenticator the user still has.  Recovery codes of
allauth, its trusted browsers and its login by code do not count.
"""


def groups(*names: str) -> Policy:
    """Return a policy that means the members of any of the groups with these names.

    :param names: each the name of a :class:`django.contrib.auth.models.Group`.
    """
    return Groups(names)


def own_factor(has_one: Callable[[Any], bool]) -> Policy:
    """Return a policy that means the users who have a second factor of the site's own.

    Their login is parked until a page of the site has called :func:`.service.complete_login`, or
    until a code.  With the password alone, such a user adds no first phone: a thief of the password
    would add theirs, and never meet the factor.

    :param has_one: ``f(user) -> bool``.
    """
    return OwnFactor(has_one)


def any_of(*policies: Part) -> Policy:
    """Return a policy that means the users whom at least one of ``policies`` means."""
    return AnyOf(policies)


def all_of(*policies: Part) -> Policy:
    """Return a policy that means the users whom each of ``policies`` means."""
    return AllOf(policies)


def unless(exception: Part, policy: Part) -> Policy:
    """Return a policy that means the users whom ``policy`` means, and ``exception`` does not.

    ::

        unless(groups("kiosk"), staff)
    """
    return Unless(exception, policy)


def from_date(day: date, policy: Part, *, remind_days: int = REMIND_DAYS) -> Policy:
    """Return a policy that means nobody before ``day``, and from then on the users of ``policy``.

    In the last days before, users who will need a phone and have none are reminded after each
    login: with the day, and a link to the page that adds one.  ``mfa_status --missing`` and a
    filter in the admin name them.

    Before the day, users who have a phone already are asked for a code only if another policy says
    so: ``any_of(enrolled, from_date(...))``.

    :param day: it begins at midnight in ``TIME_ZONE``.
    :param remind_days: for how many days before ``day``; 0 for no reminder.
    """
    return FromDate(day, policy, remind_days)


# For the rest of the app ------------------------------------------------------------------------


def walk(part: Part) -> Iterator[Part]:
    """Yield ``part`` and all that it combines."""
    yield part
    if isinstance(part, Policy):
        for one in part.parts:
            yield from walk(one)


def problems(part: object, *, is_exception: bool = False) -> Iterator[str]:
    """Yield what is wrong with ``part``, as whole sentences.

    :param is_exception: whether it says who is *not* asked for a code.
    """
    if isinstance(part, Policy):
        yield from part.own_problems()
        if isinstance(part, OtherFactor) and not is_exception:
            yield (
                "other_factor must be the exception of unless(): otherwise only users who have "
                "given another factor are asked for a code."
            )
        if isinstance(part, OwnFactor) and is_exception:
            yield (
                "own_factor in the exception of unless() lets users who have such a factor in with "
                "the password alone."
            )
        if isinstance(part, Unless):
            yield from problems(part.exception, is_exception=not is_exception)
            yield from problems(part.policy, is_exception=is_exception)
        else:
            for one in part.parts:
                yield from problems(one, is_exception=is_exception)
    elif part in (groups, own_factor, any_of, all_of, unless, from_date) or isinstance(part, type):
        yield f"{getattr(part, '__name__', part)} is not a policy until it is called."
    elif not callable(part):
        yield f"{part!r} is no policy: use one of django_bandwidth_mfa.policies, or a function."
