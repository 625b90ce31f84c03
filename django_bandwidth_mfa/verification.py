"""The results of a second factor, and of a login."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeVar

from .types import User

# For annotations only: at run time this module imports neither models nor the HTTP client.
if TYPE_CHECKING:
    from .models import Challenge

__all__ = ["CompletedLogin", "LoginProof", "PendingLogin", "Verification"]

# The names of this app's own methods.  Bandwidth verifies the codes of CODE_METHODS.
CODE_METHODS = frozenset({"sms", "voice"})
OWN_METHODS = CODE_METHODS | {"recovery_code", "trusted_browser"}

T = TypeVar("T")
Needs = Literal["code", "phone"]


@dataclass(frozen=True)
class Verification:
    """The result of a second factor.

    It is true if the code was right and was used for the first time::

        verification = service.verify_code(challenge, code)
        if verification.passed: ...
    """

    user: User
    """The user to whom the code was sent."""

    method: str
    """``"sms"``, ``"voice"``, ``"recovery_code"`` or ``"trusted_browser"``; or the name of a factor
    of the site's own."""

    challenge: Challenge | None = None
    """The challenge of the code; None for a method that sends no code."""

    verified_at: datetime | None = None
    """When the code passed (an aware datetime); None if it did not pass."""

    @property
    def passed(self) -> bool:
        """Whether the code was right and was used for the first time."""
        return self.verified_at is not None

    def __bool__(self) -> bool:
        return self.passed

    @property
    def phone(self) -> str | None:
        """The :attr:`~django_bandwidth_mfa.models.Phone.choice` of the phone; None for no phone."""
        return None if self.challenge is None else self.challenge.phone_choice


@dataclass(frozen=True, kw_only=True)
class LoginProof:
    """The record of a login, which a token keeps.

    :func:`.service.is_in_force` and :func:`.service.is_verified` tell whether it is still valid.
    For a token without such data, the proof contains only the user.
    """

    user: User
    """The user who has signed in."""

    signed_in_at: datetime | None = None
    """When the login was completed (an aware datetime in UTC); None if that is not known."""

    method: str | None = None
    """``"sms"``, ``"voice"`` or ``"recovery_code"``; None if no code was given."""

    verified_at: datetime | None = None
    """When the code passed (an aware datetime in UTC); None if no code was given."""

    phone: str | None = None
    """The :attr:`~django_bandwidth_mfa.models.Phone.choice` of the phone that got the code."""

    password_digest: str | None = None
    """A digest of the user's session auth hash.  A change of password makes it invalid."""


@dataclass(frozen=True, kw_only=True)
class CompletedLogin(LoginProof):
    """A completed login without cookies.

    :func:`.service.redeem_completion` returns it, and so does :func:`.service.begin_login` for a
    user who owes no code.
    """

    backend: str
    """The dotted path of the backend that accepted the password."""


@dataclass(frozen=True, kw_only=True)
class PendingLogin:
    """A login without cookies that owes a code: only the password has been checked."""

    user: User
    """The user who has given the password."""

    ticket: str = field(repr=False)
    """The login ticket, which the client sends to the JSON API."""

    needs: Needs
    """``"code"``; or ``"phone"`` if the user has no phone and must add one first."""


def carry(user: T, verification: Verification) -> T:
    """Set ``user.mfa_verification`` to ``verification``, and return ``user``.

    The receiver of ``user_logged_in`` reads it, so a login with this user object owes no code.
    """
    user.mfa_verification = verification  # type: ignore[attr-defined]
    return user


def pop_from(user: User) -> Verification | None:
    """Remove the verification from ``user``, and return it; None if there is none.

    A verification is valid for one login of this user object.  ``getattr`` and ``del`` also work if
    ``user`` is the lazy ``request.user``, whose ``__dict__`` is not that of the user.
    """
    verification: Verification | None = getattr(user, "mfa_verification", None)
    if verification is not None:
        del user.mfa_verification  # type: ignore[attr-defined]
    return verification
