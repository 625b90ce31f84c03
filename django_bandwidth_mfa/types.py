"""Types for annotations."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["User"]


class User(Protocol):
    """What this app uses of a user.

    Every user model that derives from Django's ``AbstractBaseUser`` has it.
    """

    @property
    def pk(self) -> object: ...

    @property
    def is_active(self) -> bool: ...

    @property
    def is_authenticated(self) -> bool: ...

    def get_username(self) -> str: ...


class StaffUser(User, Protocol):
    """What this app uses of a user if the site's policy asks for staff."""

    @property
    def is_staff(self) -> bool: ...


def in_query(user: User) -> Any:
    """Return ``user`` for a query or a row.

    Django's stubs know one user model, and the site's may be another.  Django itself then checks
    the class: an object of another model, or an anonymous user, is refused.
    """
    return user
