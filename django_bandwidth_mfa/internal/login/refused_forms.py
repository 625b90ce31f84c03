"""Which forms were posted, and could not be done: a reload posts them again, and sends nothing.

A form that is answered by a redirect needs none of this.  The page that adds a phone is answered
without one where no code could be sent, so that the number stays in its field.

Each form has an id with a signed time in it.  The browser keeps the ids of the last few forms that
were refused in a signed cookie, for as long as an id is good.  A form without an id is a program's.
"""

from __future__ import annotations

from secrets import token_urlsafe

from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ...types import User
from . import cookies

COOKIE = "bandwidth_mfa_refused_forms"
SALT = "bandwidth_mfa.refused_forms"
SALT_OF_ID = "bandwidth_mfa.form_id"

# Seconds.  An older form is out of date: nobody remembers whether it was posted before.
LONGEST = 3600

# So many are remembered.
MOST = 10


def new_id() -> str:
    """Return the id of a new form."""
    return signing.dumps(token_urlsafe(9), salt=SALT_OF_ID)


def is_out_of_date(form_id: str) -> bool:
    """Return whether the id was not made here, or too long ago."""
    return _token(form_id) is None


def was_refused(request: HttpRequest, user: User, form_id: str) -> bool:
    """Return whether this very form was posted by ``user`` before, and could not be done."""
    return _token(form_id) in _refused(request, user)


def remember(request: HttpRequest, response: HttpResponseBase, user: User, form_id: str) -> None:
    """Have the browser of ``request`` remember that this form could not be done."""
    tokens = [*_refused(request, user), _token(form_id)][-MOST:]
    value = cookies.sign(request, SALT, [str(user.pk), *tokens])
    cookies.put(response, COOKIE, value, max_age=LONGEST)


def _token(form_id: str) -> str | None:
    try:
        token = signing.loads(form_id, salt=SALT_OF_ID, max_age=LONGEST)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return token if isinstance(token, str) else None


def _refused(request: HttpRequest, user: User) -> list[str]:
    found = cookies.read(request, COOKIE, SALT, max_age=LONGEST)
    if not isinstance(found, list) or found[:1] != [str(user.pk)]:
        return []
    return found[1:]
