"""Mail to users about their second factor (``NOTIFY``): who reads it may be the first to know.

One template an event, ``bandwidth_mfa/mail/<signal>.txt``, whose first line is the subject; its
lines also fill ``bandwidth_mfa/mail/message.html``.  There are no links in it: a message that asks
people to follow one is what phishers send.

A mail that cannot be sent is logged, and changes nothing.  A mail server that hangs would hold the
page: set Django's ``EMAIL_TIMEOUT``, or a backend that queues.
"""

from __future__ import annotations

import logging
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist
from django.core.mail import EmailMultiAlternatives
from django.dispatch import Signal
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone, translation

from . import signals, trust
from .conf import settings
from .models import RecoveryCode, SecondFactor

logger = logging.getLogger("django_bandwidth_mfa")

MAILED = (
    "phone_confirmed",
    "phone_removed",
    "primary_phone_changed",
    "recovery_codes_made",
    "recovery_code_used",
    "browser_trusted",
    "browsers_forgotten",
    "signed_out_others",
    "second_factor_reset",
    "wrong_codes",
    "locked_out",
)


def connect() -> None:
    """Hear of each change, from its signal."""
    for event in MAILED:
        found: Signal = getattr(signals, event)
        found.connect(_receiver(event), weak=False, dispatch_uid=f"bandwidth_mfa.mail.{event}")


def _receiver(event: str) -> Any:
    def receive(sender: object, user: Any, request: HttpRequest | None, **told: Any) -> None:
        if settings.NOTIFY:
            notify(user, event, request, **told)

    return receive


def notify(user: Any, event: str, request: HttpRequest | None = None, **told: Any) -> None:
    """Mail ``user``, in their language, what happened; nothing where they have no address."""
    address = getattr(user, user.get_email_field_name(), "")
    if not address:
        return
    site = _site(request)
    agent = request.headers.get("User-Agent", "") if request is not None else ""
    with translation.override(_language(user, request, told)):
        context = {
            **told,
            "user": user,
            "site": site,
            "at": timezone.now(),
            # What staff do, they do in their own browser.
            "browser_name": "" if told.get("by") else trust.describe(agent),
            "codes_left": RecoveryCode.objects.left(user),
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
        # Whatever the backend raises: a mail server's bad day is nobody's error page.
        logger.exception(
            "mail failed: event=%s user=%s", event, user.pk, extra={"event": "mail_failed"}
        )


def _language(user: Any, request: HttpRequest | None, told: dict[str, Any]) -> str:
    """What the user reads: the page's language when the change is theirs, and as kept from their
    last one when somebody else makes it."""
    if request is not None and told.get("by") is None:
        language = translation.get_language() or django_settings.LANGUAGE_CODE
        SecondFactor.objects.update_or_create(user=user, defaults={"language": language})
        return language
    kept = SecondFactor.objects.filter(user=user).first()
    return (kept and kept.language) or django_settings.LANGUAGE_CODE


def _site(request: HttpRequest | None) -> str:
    """The site's name; "" where nothing tells it."""
    if request is None and not apps.is_installed("django.contrib.sites"):
        return ""
    try:
        return str(get_current_site(request).name)
    except (ObjectDoesNotExist, ImproperlyConfigured):  # no row for it, or no SITE_ID
        return ""
