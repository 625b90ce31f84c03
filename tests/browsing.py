"""What a person does with the site, over Django's test client."""

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
    """Sign in at the stock login page; the answer is its redirect."""
    return client.post(
        f"/accounts/login/?next={next_}", {"username": user.get_username(), "password": PASSWORD}
    )


def sign_in(client: Any, user: Any, bandwidth: Any, next_: str = "") -> Any:
    """Sign in with the password, and then with the code that was sent."""
    give_password(client, user, next_)
    client.get("/mfa/verify/")
    return client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})


def let_in(client: Any, user: Any) -> None:
    """The session that :func:`sign_in` ends with, in a fraction of the time: nothing is sent.

    ``tests/internal/login/test_mark.py`` holds the two sessions alike.
    """
    phone = Phone.objects.get(user=user, is_primary=True)
    challenge = Challenge(user=user, phone=phone, number=phone.number, channel="sms")
    verification = Verification(user, "sms", challenge, verified_at=timezone.now())
    client.force_login(carry(user, verification))


def post_form(client: Any, url: str, data: dict[str, Any] | None = None) -> Any:
    """Post a form of a code page, as a browser does; the answer is the page behind the redirect."""
    answer = client.post(url, data or {})
    assert answer.status_code == 302, answer.status_code
    return client.get(answer["Location"])


def page_state(answer: Any) -> str:
    """Return which state of the code page ``answer`` shows (``docs/code-page.md``)."""
    [name] = re.findall(r'<section class="bandwidth-mfa" data-state="([^"]+)"', answer.text)
    return str(name)


def state(client: Any) -> str:
    name: str = client.get("/whoami/").json()["state"]
    return name


def assert_shut(client: Any) -> None:
    """Nobody is logged in, and the session holds none of Django's keys of its own."""
    session = client.session
    assert not set(AUTH_KEYS) & set(session.keys())
    assert PARKED in session
    assert client.get("/whoami/").json()["user"] == "AnonymousUser"
    for page in ("/account/", "/secret/", "/verified/", "/admin/"):
        assert client.get(page).status_code == 302, page


def queries_for_session_and_user() -> int:
    """How many queries Django itself makes for a signed-in visitor."""
    return 2 if settings.SESSION_ENGINE == "django.contrib.sessions.backends.db" else 1


def shows(report: str, code: str) -> bool:
    """Whether ``report`` shows ``code``, and not just a memory address with the same six digits."""
    return re.search(rf"(?<!\w){code}(?!\w)", report) is not None


def wrong(code: str) -> str:
    """A code that differs from ``code`` in its last digit."""
    return code[:-1] + str((int(code[-1]) + 1) % 10)


def never_sent(bandwidth: Any) -> str:
    """A code that is none of those in the inbox.  A fixed one is right once in a million codes."""
    codes = {message["code"] for message in bandwidth.inbox}
    return next(code for code in ("000000", "111111", "222222") if code not in codes)
