"""Mail to users about changes of their second factor, if ``NOTIFY`` is on.

Each event has one template, ``bandwidth_mfa/mail/<event>.txt``.  Its first line is the subject, and
its other lines are also used in ``bandwidth_mfa/mail/message.html``.  A mail contains no link, so
that users do not get used to links in mails, which phishers also send.  It does not contain the
name of a phone either, which an attacker could have written.

If a mail cannot be sent, an error is logged, and the request goes on.  A mail server that does not
answer delays the page: set Django's ``EMAIL_TIMEOUT`` (or the ``timeout`` of ``MAILERS``), or use a
backend that queues.
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
    """Connect a receiver for each event of :data:`.events.EVENTS` that is mailed."""
    for event in events.EVENTS.values():
        if event.is_mailed and event.signal is not None:
            event.signal.connect(
                _receiver(event.name), weak=False, dispatch_uid=f"bandwidth_mfa.mail.{event.name}"
            )


def _receiver(event: str) -> Callable[..., None]:
    def receive(
        sender: object, user: User, request: HttpRequest | None, **arguments: object
    ) -> None:
        if settings.NOTIFY:
            notify(user, event, request, **arguments)

    return receive


def notify(user: User, event: str, request: HttpRequest | None = None, **arguments: object) -> None:
    """Send ``user`` a mail about ``event``, in their language, if they have a mail address.

    :param arguments: the arguments of the signal.
    """
    address = getattr(user, get_user_model().get_email_field_name(), "")
    if not address:
        return
    site = site_name(request)
    agent = request.headers.get("User-Agent", "") if request is not None else ""
    with translation.override(_language(user, request, arguments)):
        context = {
            **arguments,
            "user": user,
            "request": request,
            "site": site,
            "at": timezone.now(),
            # For changes by staff, the User-Agent is that of the staff member.
            "browser_name": "" if arguments.get("by") else user_agents.describe(agent),
            "is_signed_in": _is_signed_in(user, request),
            "codes_left": RecoveryCode.objects.left(user),
            "set_size": settings.RECOVERY_CODES,
            "kept_by_site": settings.GET_PHONES is not None,
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
        # Catch any error of the backend: a mail server that fails must not cause an error page.
        events.mail_failed(user, event)


def _is_signed_in(user: User, request: HttpRequest | None) -> bool:
    """Return whether ``request`` comes from a session in which ``user`` is already signed in."""
    visitor = getattr(request, "user", None)
    return visitor is not None and visitor.is_authenticated and visitor.pk == user.pk


def _language(user: User, request: HttpRequest | None, arguments: dict[str, object]) -> str:
    """Return the language of the mail.

    If the user makes the change, it is the language of the page.  If somebody else does, it is the
    language of the user's own last change.
    """
    if request is not None and arguments.get("by") is None:
        language = translation.get_language() or django_settings.LANGUAGE_CODE
        SecondFactor.objects.update_or_create(user=in_query(user), defaults={"language": language})
        return language
    kept = SecondFactor.objects.filter(user=in_query(user)).first()
    return (kept and kept.language) or django_settings.LANGUAGE_CODE


def site_name(request: HttpRequest | None) -> str:
    """Return the name of the site; an empty text if it is not known."""
    if request is None and not apps.is_installed("django.contrib.sites"):
        return ""
    try:
        return str(get_current_site(request).name)
    except (ObjectDoesNotExist, ImproperlyConfigured):  # no such Site, or no SITE_ID
        return ""
