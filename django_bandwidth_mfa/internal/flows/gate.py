"""The access rules of pages and API: the reasons why a visitor cannot continue."""

from __future__ import annotations

from enum import Enum

from django.http import HttpRequest

from ...request import mfa_of
from ..login.recheck import recheck_request

# The greatest age, in seconds, of the code that is required to change phones and recovery codes,
# because these open later logins.
STEP_UP_SECONDS = 300

# For so many seconds after the login a user without a phone can begin to enrol one.
FIRST_PHONE_SECONDS = 900


class Obstacle(Enum):
    """The reason why a visitor cannot continue."""

    ON_BEHALF = "on behalf"
    """Somebody acts on behalf of the user."""

    ANONYMOUS = "anonymous"
    """Nobody has given a password."""

    CODE = "code"
    """The login owes a code, or the last code is too old."""

    OLD_SIGN_IN = "old sign-in"
    """The login is older than ``FIRST_PHONE_SECONDS``."""

    OTHER_FACTOR = "other factor"
    """The user has no phone but another factor, and must sign in with that factor first."""


def obstacle_to_visitors(request: HttpRequest) -> Obstacle | None:
    """Return the obstacle to a visitor on a page that requires at least a password."""
    if mfa_of(request).is_on_behalf:
        return Obstacle.ON_BEHALF
    return Obstacle.ANONYMOUS if mfa_of(request).state == "anonymous" else None


def obstacle_to_signed_in(request: HttpRequest) -> Obstacle | None:
    """Return the obstacle to a visitor on a page that requires a complete login.

    The session is checked with the database at once.
    """
    recheck_now(request)
    obstacle = obstacle_to_visitors(request)
    if obstacle is None and mfa_of(request).state == "parked":
        return Obstacle.CODE
    return obstacle


def obstacle_to_fresh(request: HttpRequest) -> Obstacle | None:
    """Return the obstacle to a visitor on a page that requires a code in the last minutes.

    The greatest age of the code is ``STEP_UP_SECONDS``.
    """
    obstacle = obstacle_to_signed_in(request)
    return obstacle or (None if is_fresh(request) else Obstacle.CODE)


def is_fresh(request: HttpRequest) -> bool:
    """Return whether a second factor passed in the last ``STEP_UP_SECONDS``."""
    return mfa_of(request).is_verified(STEP_UP_SECONDS)


def recheck_now(request: HttpRequest) -> None:
    """Check the session with the database at once, however young its mark is.

    Otherwise somebody with an ended session could use the rest of ``RECHECK_SECONDS`` to add a
    phone, and so keep access.
    """
    recheck_request(request, request.user, anew=True)
