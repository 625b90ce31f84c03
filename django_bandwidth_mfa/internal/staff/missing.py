"""Users without a phone who need one, now or from a known day on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, Q, QuerySet

from ...models import Phone
from ..login import policy
from ..phones.source import phone_source
from .status import active


@dataclass(frozen=True)
class Missing:
    """A user who needs a phone from ``day`` on; if ``day`` is None, they need it now."""

    user: Any
    day: date | None

    @property
    def email(self) -> str:
        """The user's mail address; an empty text if the user model has none."""
        field = getattr(self.user, "get_email_field_name", lambda: "")()
        return str(getattr(self.user, field, "") or "")


def find() -> Iterator[Missing]:
    """Yield the active users who need a phone; the earliest day comes first.

    With a function of the site in the policy, or with ``GET_PHONES``, a function is called for each
    user.
    """
    source, needs = phone_source(), policy.needs_by_day()
    users = active(get_user_model()._default_manager.all()).order_by("pk")
    if source.enrolled_users() is not None:
        users = users.filter(_without_phone())
    users_in_need = _one_by_one(users) if needs is None else _by_query(users, needs)
    for one in users_in_need:
        if source.enrolled_users() is not None or not source.has_confirmed(one.user):
            yield one


def can_be_queried() -> bool:
    """Return whether a query can find the users who need a phone."""
    return phone_source().enrolled_users() is not None and policy.needs_by_day() is not None


def among(users: QuerySet[Any]) -> QuerySet[Any]:
    """Return the users in ``users`` who need a phone.  Check :func:`can_be_queried` first.

    For groups, the query uses indexes.  For ``staff`` the database reads the whole table of users,
    because Django has no index for ``is_staff``.  For ``everyone`` it may read the tables of users
    and of phones.
    """
    needed = Q(pk__in=())
    for _day, need in policy.needs_by_day() or ():
        needed |= need
    return active(users.filter(needed, _without_phone()))


def _without_phone() -> Q:
    return Q(~Exists(Phone.objects.confirmed().filter(user=OuterRef("pk"))))


def _by_query(users: QuerySet[Any], needs: list[tuple[date, Q]]) -> Iterator[Missing]:
    today, earlier = policy.today(), Q(pk__in=())
    for day, need in needs:
        for user in users.filter(need & ~earlier).iterator():
            yield Missing(user, day if day > today else None)
        earlier |= need


def _one_by_one(users: QuerySet[Any]) -> Iterator[Missing]:
    today = policy.today()
    for user in users.iterator():
        day = policy.day_of_need(user)
        if day is not None:
            yield Missing(user, day if day > today else None)
