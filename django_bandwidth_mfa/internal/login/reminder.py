"""The reminder of the day from which on a user will need a phone."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _

from ...types import User
from ..notify import events
from ..phones.source import phone_source
from . import policy


def remind(request: HttpRequest, user: User) -> None:
    """Say after a login, in the last days before it, from when on ``user`` needs a phone.

    The message leads to the page that adds one; this very login is recent enough for it.  Before
    the day, nobody else asks the functions of the site that stand behind it.  So an error of theirs
    is logged, and stops no login.
    """
    try:
        day = policy.day_to_remind_of(user, request=request)
    except Exception:
        events.reminder_failed(user)
        return
    if day is None:
        return
    # Translators: After a sign-in without a code. %(day)s is a date, such as "March 1, 2027".
    text = _("From %(day)s on, you need a code from your phone to sign in.")
    said = text % {"day": date_format(day)}
    if phone_source().can_change:
        address = reverse("bandwidth_mfa:phone_add")
        said = format_html('{} <a href="{}">{}</a>', said, address, _("Add my phone"))
    messages.warning(request, said, fail_silently=True)
