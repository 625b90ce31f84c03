"""Types for annotations."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["User"]


class User(Protocol):
    """What this app uses of a user.

    Every user model that derives from Django's ``AbstractBaseUser`` has it.
    """

    pk: Any
    is_active: Any

    @property
    def is_authenticated(self) -> Any: ...

    def get_username(self) -> str: ...


def in_query(user: User) -> Any:
    """Return ``user`` for a query or a row.

    Django's stubs know one user model, and the site's may be another.  Django itself then checks
    the class: an object of another model, or an anonymous user, is refused.
    """
    return user
