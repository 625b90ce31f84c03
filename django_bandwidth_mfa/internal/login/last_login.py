"""Update ``last_login`` of a user when the login is complete, not after the password.

Django updates it in a receiver of ``user_logged_in``, which it connects with a ``dispatch_uid``.
The receiver here replaces that one, with the same ``dispatch_uid``.  So a site that disconnects
Django's receiver by this id also disconnects ours.
"""

from __future__ import annotations

from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.models import update_last_login
from django.contrib.auth.signals import user_logged_in
from django.db.models.query_utils import DeferredAttribute
from django.http import HttpRequest

from ...types import User, in_query
from .parking import JUST_PARKED

# The dispatch_uid of Django's receiver.
NAME = "update_last_login"

# Keys of request.META.  They say which came first: our receiver, or the end of the login.
_WANTED = "bandwidth_mfa.last_login_wanted"
_COMPLETE = "bandwidth_mfa.login_complete"


def take_over() -> None:
    """Replace Django's receiver by ours.

    Django connects its receiver only if the user model has a field ``last_login``.  The order of
    the apps does not matter: Django does not connect a second receiver with the same
    ``dispatch_uid``.
    """
    if isinstance(getattr(get_user_model(), "last_login", None), DeferredAttribute):
        user_logged_in.disconnect(dispatch_uid=NAME)
        user_logged_in.connect(note_wanted, dispatch_uid=NAME)


def note_wanted(sender: object, user: User, request: HttpRequest | None, **kwargs: object) -> None:
    """Receive ``user_logged_in``, before or after the login is settled."""
    if request is None or SESSION_KEY not in getattr(request, "session", ()):
        # A login without a session, such as a login by token, is not settled later.
        if request is None or JUST_PARKED not in request.META:
            _move(user)
    elif request.META.pop(_COMPLETE, False):
        _move(user)
    else:
        request.META[_WANTED] = True


def note_complete(request: HttpRequest, user: User) -> None:
    """Update ``last_login`` after a complete login of ``user``, unless the site has disabled it."""
    if request.META.pop(_WANTED, False):
        _move(user)
    else:
        request.META[_COMPLETE] = True


def _move(user: User) -> None:
    site_user = in_query(user)
    update_last_login(type(site_user), site_user)
