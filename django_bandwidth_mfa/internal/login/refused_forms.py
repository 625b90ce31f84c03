"""Remember refused forms, so that a reload, which posts the form again, sends nothing.

A form that is answered with a redirect does not need this.  But the page that adds a phone shows
the form again if no code could be sent, so that the number stays in its field.

Each form has an id with a signed time.  A signed cookie keeps the ids of the last refused forms,
for as long as an id is valid.  A form without an id comes from a program.
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

# The lifetime of an id, in seconds.  For an older form it is no longer known whether it was posted.
LONGEST = 3600

# How many refused forms are remembered.
MOST = 10


def new_id() -> str:
    """Return an id for a new form."""
    return signing.dumps(token_urlsafe(9), salt=SALT_OF_ID)


def is_out_of_date(form_id: str) -> bool:
    """Return whether the id has a wrong signature, or is too old."""
    return _token(form_id) is None


def was_refused(request: HttpRequest, user: User, form_id: str) -> bool:
    """Return whether ``user`` has posted this form before, and it was refused."""
    return _token(form_id) in _refused(request, user)


def remember(request: HttpRequest, response: HttpResponseBase, user: User, form_id: str) -> None:
    """Add this form to the cookie of refused forms."""
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
    record = cookies.read(request, COOKIE, SALT, max_age=LONGEST)
    if not isinstance(record, list) or record[:1] != [str(user.pk)]:
        return []
    return record[1:]
