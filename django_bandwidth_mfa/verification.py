"""The answer to a typed code."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeVar

from .types import User

# For the type only: this module imports neither models nor the HTTP client.
if TYPE_CHECKING:
    from .models import Challenge

__all__ = ["CompletedLogin", "LoginProof", "PendingLogin", "Verification"]

# What this app calls its own methods.  Bandwidth itself has verified those of a code.
CODE_METHODS = frozenset({"sms", "voice"})
OWN_METHODS = CODE_METHODS | {"recovery_code", "trusted_browser"}

T = TypeVar("T")
Needs = Literal["code", "phone"]


@dataclass(frozen=True)
class Verification:
    """The result of a second factor.

    It is true when the code was right and was used for the first time::

        verification = service.verify_code(challenge, code)
        if verification.passed: ...
    """

    user: User
    """The user whose code it is."""

    method: str
    """``"sms"``, ``"voice"``, ``"recovery_code"`` or ``"trusted_browser"``; or what a site calls a
    factor of its own."""

    challenge: Challenge | None = None
    """The code that was sent; None for a method that sends none."""

    verified_at: datetime | None = None
    """When the code passed (aware); None if it did not."""

    @property
    def passed(self) -> bool:
        """Whether the code was right."""
        return self.verified_at is not None

    def __bool__(self) -> bool:
        return self.passed

    @property
    def phone(self) -> str | None:
        """The :attr:`~django_bandwidth_mfa.models.Phone.choice` of the phone that got the code."""
        return None if self.challenge is None else self.challenge.phone_choice


@dataclass(frozen=True, kw_only=True)
class LoginProof:
    """What a login has shown, for a token to keep.

    :func:`.service.is_in_force` and :func:`.service.is_verified` say what it is worth now.  A token
    of which nothing is known has a proof that names its user and nothing else.
    """

    user: User
    """Who has signed in."""

    signed_in_at: datetime | None = None
    """When the login was complete (aware, UTC); None if that is not known."""

    method: str | None = None
    """``"sms"``, ``"voice"`` or ``"recovery_code"``; None if no code was given."""

    verified_at: datetime | None = None
    """When the code passed (aware, UTC); None if no code was given."""

    phone: str | None = None
    """The :attr:`~django_bandwidth_mfa.models.Phone.choice` of the phone that got the code."""

    password_digest: str | None = None
    """Of the hash that Django binds a session to, so that another password ends the login."""


@dataclass(frozen=True, kw_only=True)
class CompletedLogin(LoginProof):
    """A login without cookies that owes nothing any more.

    :func:`.service.redeem_completion` returns it, and so does :func:`.service.begin_login` for a
    user who owes no code.
    """

    backend: str
    """The dotted path of the backend that took the password."""


@dataclass(frozen=True, kw_only=True)
class PendingLogin:
    """A login without cookies whose password was right, and which owes a code."""

    user: User
    """Who has given the password."""

    ticket: str = field(repr=False)
    """The login ticket, for the client."""

    needs: Needs
    """``"phone"`` if the user has none, and has to add one first."""


def carry(user: T, verification: Verification) -> T:
    """Put ``verification`` on ``user``, as ``user.mfa_verification``, and return the user.

    The receiver of ``user_logged_in`` finds it there.  So a login of this user object owes no code.
    """
    user.mfa_verification = verification  # type: ignore[attr-defined]
    return user


def pop_from(user: User) -> Verification | None:
    """Take the verification off ``user``, and return it.

    It counts for one login of this user object, and not for a later one.  The object may be
    ``request.user``, which is lazy: its own ``__dict__`` is not that of the user.
    """
    verification: Verification | None = getattr(user, "mfa_verification", None)
    if verification is not None:
        del user.mfa_verification  # type: ignore[attr-defined]
    return verification
