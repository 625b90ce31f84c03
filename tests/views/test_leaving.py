"""The pages lead to a page that exists, also on a site that sets no ``LOGIN_REDIRECT_URL``."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import pytest
from django.conf import global_settings
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path

from tests.browsing import give_password, sign_in
from tests.conftest import OTHER_NUMBER

pytestmark = pytest.mark.django_db


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("a page")


LOGIN = path("accounts/login/", LoginView.as_view())
OURS = path("mfa/", include("django_bandwidth_mfa.urls"))
FIRST_PAGE = path("", page)
PROFILE = path("accounts/profile/", page)

SITES = [
    ([LOGIN, OURS], "/mfa/phones/"),
    ([LOGIN, OURS, FIRST_PAGE], "/"),
    ([LOGIN, OURS, FIRST_PAGE, PROFILE], "/accounts/profile/"),
]


@pytest.fixture(params=SITES, ids=["only ours", "a first page", "a profile"])
def expected(request: Any, settings: Any) -> str:
    """The address to which a page leads on a site that does not set ``LOGIN_REDIRECT_URL``."""
    patterns, expected = request.param
    settings.ROOT_URLCONF = ModuleType("tests.a_site_that_says_nothing")
    settings.ROOT_URLCONF.urlpatterns = patterns
    settings.LOGIN_REDIRECT_URL = global_settings.LOGIN_REDIRECT_URL
    return str(expected)


def link(client: Client, url: str, text: str) -> str:
    """Return the target of the link ``text`` on a page, and check that the target opens.

    Without such a link, return an empty string.
    """
    page_text = client.get(url).content.decode()
    targets = re.findall(rf'href="([^"]*)"[^>]*>{text}</a>', page_text)
    if not targets:
        return ""
    assert client.get(targets[0]).status_code == 200
    return str(targets[0])


@pytest.mark.slow
def test_the_first_recovery_codes_lead_to_a_page_that_exists(
    client: Client, newcomer: Any, bandwidth: Any, configure: Any, expected: str
) -> None:
    """Fails when the page uses the default ``LOGIN_REDIRECT_URL`` unchecked: it may answer 404."""
    configure(REQUIRED="all")
    give_password(client, newcomer)
    client.post("/mfa/phones/add/", {"number": OTHER_NUMBER})
    answer = client.post("/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"]})
    page = client.get(answer["Location"]).content.decode()
    [next_] = re.findall('name="next" value="([^"]*)"', page) or [""]
    done = client.post("/mfa/recovery-codes/saved/", {"saved": "on", "next": next_})
    assert done["Location"] == expected
    assert client.get(expected).status_code == 200


def test_a_code_and_done_and_cancel_lead_to_a_page_that_exists(
    client: Client, user: Any, bandwidth: Any, expected: str
) -> None:
    """The code, "Done" and "Cancel" lead to a page that opens; no page links to itself.

    Fails when the pages use the default ``LOGIN_REDIRECT_URL`` unchecked: it may answer 404.
    """
    assert sign_in(client, user, bandwidth)["Location"] == expected
    done = link(client, "/mfa/phones/", "Done")
    assert done == ("" if expected == "/mfa/phones/" else expected)
    assert client.post("/mfa/cancel/")["Location"] == expected
    assert client.get("/mfa/verify/")["Location"] == expected


def test_the_login_redirect_url_of_the_site_is_used(
    client: Client, user: Any, bandwidth: Any, settings: Any
) -> None:
    """Fails when the app checks that this address opens: another program may serve it."""
    settings.LOGIN_REDIRECT_URL = "/shop/"
    sign_in(client, user, bandwidth)
    assert 'href="/shop/"' in client.get("/mfa/phones/").content.decode()
