"""Types for annotations."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["User"]


class User(Protocol):
    """The attributes and methods of a user object that this app uses.

    Every user model that derives from Django's ``AbstractBaseUser`` has them.
    """

    @property
    def pk(self) -> object: ...

    @property
    def is_active(self) -> bool: ...

    @property
    def is_authenticated(self) -> bool: ...

    def get_username(self) -> str: ...


class StaffUser(User, Protocol):
    """A user object with ``is_staff``, which the policy ``staff`` needs."""

    @property
    def is_staff(self) -> bool: ...


def in_query(user: User) -> Any:
    """Return ``user`` as a value that a query or a model field accepts.

    This function is for the type checker only: Django's stubs know one user model, and the site may
    use another one.  At run time Django checks the class: it refuses an object of another model,
    and an anonymous user.
    """
    return user
