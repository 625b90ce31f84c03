"""The reminder that a user will soon need a phone."""

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
    """Add a message with the day from which on ``user`` needs a phone, if it is near.

    The message links to the page that adds a phone.  That page requires a recent login, such as
    this one.  Before the day, only the reminder calls the functions of the site in the policy.  So
    an error in them is logged, and stops no login.
    """
    try:
        day = policy.day_to_remind_of(user, request=request)
    except Exception:
        events.reminder_failed(user)
        return
    if day is None:
        return
    # Translators: Shown after a sign-in without a code. %(day)s is a date, such as "March 1, 2027".
    text = _("From %(day)s on, you need a code from your phone to sign in.")
    message = text % {"day": date_format(day)}
    if phone_source().can_change:
        address = reverse("bandwidth_mfa:phone_add")
        message = format_html('{} <a href="{}">{}</a>', message, address, _("Add my phone"))
    messages.warning(request, message, fail_silently=True)
