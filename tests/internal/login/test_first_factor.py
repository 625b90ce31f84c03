"""After the password: no login door opens before the code."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.conf import settings as django_settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import default_token_generator
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from django_bandwidth_mfa.models import Phone
from tests.browsing import assert_shut, give_password, sign_in, state
from tests.conftest import NUMBER, PASSWORD, make_user

REMOTE_USER = [
    *django_settings.MIDDLEWARE[:4],
    "django.contrib.auth.middleware.RemoteUserMiddleware",
    *django_settings.MIDDLEWARE[4:],
]


REMOTE_USER_LATE = [
    *django_settings.MIDDLEWARE,
    "django.contrib.auth.middleware.RemoteUserMiddleware",
]


REMOTE_BACKEND = ["django.contrib.auth.backends.RemoteUserBackend"]


@pytest.mark.standard("V6.3.3", "V6.3.4", "63B-3.2.8")
@pytest.mark.attack("P1")
def test_the_stock_login_page_leads_to_the_code_and_then_to_next(
    client: Client, user: Any, bandwidth: Any
) -> None:
    answer = give_password(client, user, "/account/?tab=1")
    assert (answer.status_code, answer["Location"]) == (302, "/mfa/verify/")
    assert_shut(client)
    client.get("/mfa/verify/")
    answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert (answer.status_code, answer["Location"]) == (302, "/account/?tab=1")
    assert client.get("/account/").content == b"account of ada"
    assert client.get("/whoami/").json()["method"] == "sms"


@pytest.mark.standard("V6.3.4")
@pytest.mark.attack("P2")
def test_the_admins_login_is_shut_until_the_code(client: Client, bandwidth: Any, db: None) -> None:
    make_user("root", NUMBER, is_staff=True, is_superuser=True)
    answer = client.post(
        "/admin/login/?next=/admin/", {"username": "root", "password": PASSWORD, "next": "/admin/"}
    )
    assert answer["Location"] == "/mfa/verify/"
    assert_shut(client)
    # The admin sends the visitor to its login page; that leads on to the code.
    answer = client.get("/admin/auth/user/", follow=True)
    assert answer.redirect_chain[-1][0] == "/mfa/verify/"
    answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert answer["Location"] == "/admin/auth/user/"
    assert client.get("/admin/").status_code == 200


@pytest.mark.standard("V6.3.4", "V6.4.3")
@pytest.mark.attack("P3")
def test_a_password_reset_that_logs_in_is_shut_until_the_code(
    client: Client, user: Any, bandwidth: Any
) -> None:
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    link = f"/reset/{uid}/{default_token_generator.make_token(user)}/"
    form = client.get(link, follow=True).redirect_chain[-1][0]
    answer = client.post(form, {"new_password1": "n3w-horse-x", "new_password2": "n3w-horse-x"})
    assert answer["Location"] == "/mfa/verify/"
    assert_shut(client)
    client.get("/mfa/verify/")
    answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert answer["Location"] == "/account/"
    assert state(client) == "verified"


@pytest.mark.attack("P4")
def test_allauths_login_is_shut_until_the_code(client: Client, user: Any, bandwidth: Any) -> None:
    answer = client.post("/allauth/login/", {"login": "ada", "password": PASSWORD})
    assert answer["Location"] == "/mfa/verify/"
    assert_shut(client)
    client.get("/mfa/verify/")
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert client.get("/account/").status_code == 200


@pytest.mark.attack("P5")
@pytest.mark.parametrize("middleware", [REMOTE_USER, REMOTE_USER_LATE], ids=["before", "after"])
def test_remote_user_is_shut_on_every_request_until_the_code(
    user: Any, bandwidth: Any, settings: Any, middleware: list[str]
) -> None:
    settings.MIDDLEWARE = middleware
    settings.AUTHENTICATION_BACKENDS = REMOTE_BACKEND
    client = Client(REMOTE_USER="ada")
    for _ in range(3):
        answer = client.get("/account/")
        assert answer.status_code == 302
        assert answer["Location"] == "/accounts/login/?next=/account/"
        assert client.get("/").status_code == 200
        assert client.get("/whoami/").json()["state"] == "parked"
    assert bandwidth.inbox == []
    answer = client.get("/account/", follow=True)
    assert answer.redirect_chain[-1][0] == "/mfa/verify/"
    assert len(bandwidth.inbox) == 1
    client.get("/mfa/verify/")
    assert len(bandwidth.inbox) == 1
    answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert answer["Location"] == "/account/"
    assert client.get("/account/").status_code == 200
    assert client.get("/account/").status_code == 200
    # Another browser, at the same time, is shut as well.
    assert Client(REMOTE_USER="ada").get("/account/").status_code == 302


class Fallback:
    """Answers without a view, as the middleware of flatpages does."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = self.get_response(request)
        if response.status_code != 404:
            return response
        user = async_to_sync(request.auser)()
        return HttpResponse(f"{request.user} {user}")


@pytest.mark.attack("P5")
@pytest.mark.parametrize("middleware", [REMOTE_USER, REMOTE_USER_LATE])
def test_remote_user_is_nobody_to_a_middleware_that_answers_without_a_view(
    user: Any, settings: Any, middleware: list[str]
) -> None:
    """Fails when the user becomes anonymous only before a view: a flatpage has no view."""
    settings.MIDDLEWARE = [*middleware, f"{__name__}.Fallback"]
    settings.AUTHENTICATION_BACKENDS = REMOTE_BACKEND
    client = Client(REMOTE_USER="ada")
    for _ in range(2):
        answer = client.get("/no-view-is-here/")
        assert answer.content == b"AnonymousUser AnonymousUser"
    assert client.get("/whoami/").json()["state"] == "parked"


def test_login_required_middleware_lets_the_code_page_and_nothing_else_be_seen(
    client: Client, user: Any, bandwidth: Any, settings: Any
) -> None:
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    give_password(client, user)
    assert_shut(client)
    assert client.get("/mfa/verify/").status_code == 200
    assert client.get("/verified/").status_code == 302
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert client.get("/account/").status_code == 200


def test_force_login_is_a_first_factor_only(client: Client, user: Any) -> None:
    client.force_login(user)
    assert_shut(client)


def test_login_without_backend_works_while_ours_is_not_listed(
    client: Client, newcomer: Any
) -> None:
    client.force_login(newcomer)
    assert state(client) == "exempt"


def test_a_listed_backend_authenticates_by_challenge_and_token(
    user: Any, bandwidth: Any, settings: Any, transactional_db: None
) -> None:
    from django.contrib.auth import authenticate

    from django_bandwidth_mfa.service import send_code

    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.ModelBackend",
        "django_bandwidth_mfa.backends.BandwidthMFABackend",
    ]
    user = make_user("listed", NUMBER)
    challenge = send_code(user)
    result = authenticate(None, challenge=challenge, token=bandwidth.inbox[0]["code"])
    assert result == user
    assert authenticate(None, username="listed", password="no") is None


async def _login_async(user: Any) -> AsyncClient:
    client = AsyncClient()
    await client.aforce_login(user)
    return client


@pytest.mark.attack("P6")
def test_an_async_login_is_parked_and_async_views_see_nobody(user: Any) -> None:
    from asgiref.sync import async_to_sync

    async def visit() -> Any:
        client = await _login_async(user)
        return (await client.get("/awhoami/")).json(), (await client.get("/atransfer/")).status_code

    who, status = async_to_sync(visit)()
    assert who == {"user": "AnonymousUser", "state": "parked"}
    assert status == 302


def test_a_password_given_again_in_a_verified_session_asks_for_no_code(
    client: Client, user: Any, bandwidth: Any
) -> None:
    sign_in(client, user, bandwidth)
    give_password(client, user)
    assert state(client) == "verified"
    assert len(bandwidth.inbox) == 1


def test_a_password_given_again_in_an_exempt_session_asks_anew(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    give_password(client, newcomer)
    assert state(client) == "exempt"
    Phone.objects.create(user=newcomer, number=NUMBER, confirmed_at=timezone.now())
    give_password(client, newcomer)
    assert state(client) == "parked"


@pytest.mark.parametrize("changed", [False, True])
def test_the_password_again_owes_no_second_send_unless_it_is_another_password(
    client: Client, user: Any, bandwidth: Any, configure: Any, changed: bool
) -> None:
    """Fails when a second password starts a new parked login: each repeated login would send a
    code."""
    configure(RESEND_COOLDOWN=[0])
    give_password(client, user)
    client.get("/mfa/verify/")
    if changed:
        user.password = make_password(PASSWORD)
        user.save()
    with time_machine.travel(timezone.now() + timedelta(seconds=200)):  # the code has expired
        give_password(client, user)
        client.get("/mfa/verify/")
    assert len(bandwidth.inbox) == 1 + changed
