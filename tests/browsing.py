"""Helpers that use the site as a person does, through Django's test client."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.utils import timezone

from django_bandwidth_mfa.internal.login.parking import AUTH_KEYS, PARKED
from django_bandwidth_mfa.models import Challenge, Phone
from django_bandwidth_mfa.verification import Verification, carry

from .conftest import PASSWORD


def give_password(client: Any, user: Any, next_: str = "") -> Any:
    """Post the password to Django's login page. Return its answer, a redirect."""
    return client.post(
        f"/accounts/login/?next={next_}", {"username": user.get_username(), "password": PASSWORD}
    )


def sign_in(client: Any, user: Any, bandwidth: Any, next_: str = "") -> Any:
    """Sign in with the password, and then with the code that was sent."""
    give_password(client, user, next_)
    client.get("/mfa/verify/")
    return client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})


def let_in(client: Any, user: Any) -> None:
    """Make the same session as :func:`sign_in`, but faster: no code is sent.

    A test in ``tests/internal/login/test_mark.py`` compares the two sessions.
    """
    phone = Phone.objects.get(user=user, is_primary=True)
    challenge = Challenge(user=user, phone=phone, number=phone.number, channel="sms")
    verification = Verification(user, "sms", challenge, verified_at=timezone.now())
    client.force_login(carry(user, verification))


def post_form(client: Any, url: str, data: dict[str, Any] | None = None) -> Any:
    """Post a form of a code page, and return the page that the redirect leads to."""
    answer = client.post(url, data or {})
    assert answer.status_code == 302, answer.status_code
    return client.get(answer["Location"])


def page_state(answer: Any) -> str:
    """Return the name of the state that the code page shows (``docs/code-page.md``)."""
    [name] = re.findall(r'<section class="bandwidth-mfa" data-state="([^"]+)"', answer.text)
    return str(name)


def state(client: Any) -> str:
    name: str = client.get("/whoami/").json()["state"]
    return name


def assert_shut(client: Any) -> None:
    """Check that nobody is logged in, and that the session has none of Django's login keys."""
    session = client.session
    assert not set(AUTH_KEYS) & set(session.keys())
    assert PARKED in session
    assert client.get("/whoami/").json()["user"] == "AnonymousUser"
    for page in ("/account/", "/secret/", "/verified/", "/admin/"):
        assert client.get(page).status_code == 302, page


def queries_for_session_and_user() -> int:
    """Return the number of queries that Django itself makes for a signed-in visitor."""
    return 2 if settings.SESSION_ENGINE == "django.contrib.sessions.backends.db" else 1


def shows(report: str, code: str) -> bool:
    """Return whether ``report`` shows ``code``. A longer number with these digits is no code."""
    return re.search(rf"(?<!\w){code}(?!\w)", report) is not None


def wrong(code: str) -> str:
    """Return a code that differs from ``code`` in its last digit, so it is no other sent code."""
    return code[:-1] + str((int(code[-1]) + 1) % 10)


def never_sent(bandwidth: Any) -> str:
    """Return a code that is not in the inbox. A fixed code is right once in a million times."""
    codes = {message["code"] for message in bandwidth.inbox}
    return next(code for code in ("000000", "111111", "222222") if code not in codes)
