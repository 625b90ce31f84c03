"""``last_login`` of a user moves when a login is complete, and not at the password.

Django moves it in a receiver of ``user_logged_in``, which it connects under a name.  The receiver
here takes its place, under the same name: a site that disconnects it by that name, so that
``last_login`` stays, still does so.
"""

from __future__ import annotations

from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.models import update_last_login
from django.contrib.auth.signals import user_logged_in
from django.db.models.query_utils import DeferredAttribute
from django.http import HttpRequest

from ...types import User, in_query
from .parking import JUST_PARKED

# Django's own name of its receiver.
NAME = "update_last_login"

# Keys of request.META: which of the two has come first, our receiver or the complete login.
_WANTED = "bandwidth_mfa.last_login_wanted"
_COMPLETE = "bandwidth_mfa.login_complete"


def take_over() -> None:
    """Put our receiver in the place of Django's.

    Django connects its own for user models with a field of that name only.  Whose ``ready()`` comes
    first does not matter: a name that is taken is not connected again.
    """
    if isinstance(getattr(get_user_model(), "last_login", None), DeferredAttribute):
        user_logged_in.disconnect(dispatch_uid=NAME)
        user_logged_in.connect(note_wanted, dispatch_uid=NAME)


def note_wanted(sender: object, user: User, request: HttpRequest | None, **kwargs: object) -> None:
    """Receive ``user_logged_in``, before the login is settled or after it."""
    if request is None or SESSION_KEY not in getattr(request, "session", ()):
        # Without a session, as where a token was issued, nothing is settled later.
        if request is None or JUST_PARKED not in request.META:
            _move(user)
    elif request.META.pop(_COMPLETE, False):
        _move(user)
    else:
        request.META[_WANTED] = True


def note_complete(request: HttpRequest, user: User) -> None:
    """Move ``last_login`` of ``user``, whose login is complete, if the site wants that."""
    if request.META.pop(_WANTED, False):
        _move(user)
    else:
        request.META[_COMPLETE] = True


def _move(user: User) -> None:
    site_user = in_query(user)
    update_last_login(type(site_user), site_user)
