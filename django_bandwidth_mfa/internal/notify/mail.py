"""Mail to users about changes of their second factor, while ``NOTIFY`` is on.

Each event has one template, ``bandwidth_mfa/mail/<event>.txt``.  Its first line is the subject; its
other lines also fill ``bandwidth_mfa/mail/message.html``.  A mail holds no link, because phishers
send messages that ask people to follow one.  Nor does it hold the name of a phone: an intruder
could have written it.

A mail that cannot be sent is logged and changes nothing.  A mail server that hangs holds the page:
set Django's ``EMAIL_TIMEOUT`` (or the ``timeout`` of ``MAILERS``), or use a backend that queues.
"""

from __future__ import annotations

from collections.abc import Callable

from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone, translation

from ...conf import settings
from ...models import RecoveryCode, SecondFactor
from ...types import User, in_query
from . import events, user_agents


def connect() -> None:
    """Have each event that :data:`.events.EVENTS` marks as mailed send its mail."""
    for event in events.EVENTS.values():
        if event.is_mailed and event.signal is not None:
            event.signal.connect(
                _receiver(event.name), weak=False, dispatch_uid=f"bandwidth_mfa.mail.{event.name}"
            )


def _receiver(event: str) -> Callable[..., None]:
    def receive(sender: object, user: User, request: HttpRequest | None, **told: object) -> None:
        if settings.NOTIFY:
            notify(user, event, request, **told)

    return receive


def notify(user: User, event: str, request: HttpRequest | None = None, **told: object) -> None:
    """Mail ``user`` what happened, in their language.  A user without an address gets nothing.

    :param told: what the signal of the event carries.
    """
    address = getattr(user, get_user_model().get_email_field_name(), "")
    if not address:
        return
    site = site_name(request)
    agent = request.headers.get("User-Agent", "") if request is not None else ""
    with translation.override(_language(user, request, told)):
        context = {
            **told,
            "user": user,
            "site": site,
            "at": timezone.now(),
            # What staff do, they do in their own browser.
            "browser_name": "" if told.get("by") else user_agents.describe(agent),
            "codes_left": RecoveryCode.objects.left(user),
            "trust_days": settings.TRUST_DAYS,
            "support": settings.SUPPORT,
        }
        text = render_to_string(f"bandwidth_mfa/mail/{event}.txt", context)
        subject, _, body = text.strip().partition("\n")
        html = render_to_string(
            "bandwidth_mfa/mail/message.html",
            {"subject": subject, "paragraphs": body.strip().split("\n\n"), "site": site},
        )
    message = EmailMultiAlternatives(subject, body.strip() + "\n", to=[address])
    message.attach_alternative(html, "text/html")
    try:
        message.send()
    except Exception:
        # Any error of the backend: nobody sees an error page because a mail server fails.
        events.mail_failed(user, event)


def _language(user: User, request: HttpRequest | None, told: dict[str, object]) -> str:
    """Return the language of the mail.

    It is the language of the page when the user makes the change.  When somebody else makes it, it
    is the language of the user's own last change.
    """
    if request is not None and told.get("by") is None:
        language = translation.get_language() or django_settings.LANGUAGE_CODE
        SecondFactor.objects.update_or_create(user=in_query(user), defaults={"language": language})
        return language
    kept = SecondFactor.objects.filter(user=in_query(user)).first()
    return (kept and kept.language) or django_settings.LANGUAGE_CODE


def site_name(request: HttpRequest | None) -> str:
    """Return the name of the site; an empty text if nothing tells it."""
    if request is None and not apps.is_installed("django.contrib.sites"):
        return ""
    try:
        return str(get_current_site(request).name)
    except (ObjectDoesNotExist, ImproperlyConfigured):  # no row for it, or no SITE_ID
        return ""
