"""What stops a visitor from going on.  A page and the API ask the same, and answer each its way."""

from __future__ import annotations

from enum import Enum

from django.http import HttpRequest

from ...request import mfa_of
from ..login.recheck import recheck_request

# Seconds.  A new phone and new recovery codes open later logins, so they take a code this fresh.
STEP_UP_SECONDS = 300

# Seconds.  So long after the sign-in a user without a phone can begin to enrol one.
FIRST_PHONE_SECONDS = 900


class Obstacle(Enum):
    """Why a visitor cannot go on."""

    ON_BEHALF = "on behalf"
    """Somebody acts on behalf of the user, who has not signed in."""

    ANONYMOUS = "anonymous"
    """Nobody has given a password."""

    CODE = "code"
    """A code is owed: by a login, or because the last one is not fresh."""

    OLD_SIGN_IN = "old sign-in"
    """The sign-in is longer ago than ``FIRST_PHONE_SECONDS``."""

    OTHER_FACTOR = "other factor"
    """The user has no phone but another factor, and has not shown it: they sign in with that."""


def obstacle_to_visitors(request: HttpRequest) -> Obstacle | None:
    """Return what stops a visitor who has to have given a password at least."""
    if mfa_of(request).is_on_behalf:
        return Obstacle.ON_BEHALF
    return Obstacle.ANONYMOUS if mfa_of(request).state == "anonymous" else None


def obstacle_to_signed_in(request: HttpRequest) -> Obstacle | None:
    """Return what stops a visitor who has to be signed in.  The session is asked about at once."""
    recheck_now(request)
    obstacle = obstacle_to_visitors(request)
    if obstacle is None and mfa_of(request).state == "parked":
        return Obstacle.CODE
    return obstacle


def obstacle_to_fresh(request: HttpRequest) -> Obstacle | None:
    """Return what stops a visitor who has to have given a code in the last ``STEP_UP_SECONDS``."""
    obstacle = obstacle_to_signed_in(request)
    return obstacle or (None if is_fresh(request) else Obstacle.CODE)


def is_fresh(request: HttpRequest) -> bool:
    """Return whether a second factor passed in the last ``STEP_UP_SECONDS``."""
    return mfa_of(request).is_verified(STEP_UP_SECONDS)


def recheck_now(request: HttpRequest) -> None:
    """Ask about the session at once, however young its mark is.

    A session that its user has ended must not use the rest of ``RECHECK_SECONDS`` to stay for good.
    """
    recheck_request(request, request.user, anew=True)
