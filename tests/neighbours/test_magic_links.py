"""django-sesame: links that sign in their owner, as docs/site-duties.md describes them."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from sesame.decorators import authenticate
from sesame.utils import get_query_string
from sesame.views import LoginView

from tests import urls
from tests.browsing import state

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

BACKENDS = ["django.contrib.auth.backends.ModelBackend", "sesame.backends.ModelBackend"]
OURS = "django_bandwidth_mfa.middleware.BandwidthMFAMiddleware"


def who(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.user))


urlpatterns = [
    path("magic/", LoginView.as_view()),
    path("once/", authenticate(who)),
    path("for-good/", authenticate(permanent=True)(who)),
    path("who/", who),
    *urls.urlpatterns,
]


@pytest.fixture(autouse=True)
def sesame(settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = BACKENDS


@pytest.mark.package("django-sesame")
@pytest.mark.parametrize(("page", "afterwards"), [("once", "anonymous"), ("for-good", "parked")])
def test_a_view_below_the_decorator_runs_with_the_link_alone_and_no_other_view_does(
    client: Client, user: Any, page: str, afterwards: str
) -> None:
    """docs/site-duties.md describes this: the decorator sets ``request.user`` only for its own
    view."""
    assert client.get(f"/{page}/{get_query_string(user)}").content == b"ada"
    assert client.get("/who/").content == b"AnonymousUser"
    assert state(client) == afterwards


@pytest.mark.package("django-sesame")
def test_the_login_view_of_the_link_leads_to_the_code(client: Client, user: Any) -> None:
    """Fails without the receiver."""
    assert client.get(f"/magic/{get_query_string(user)}")["Location"] == "/mfa/verify/"
    assert state(client) == "parked"


@pytest.mark.package("django-sesame")
@pytest.mark.parametrize("offset", [0, 1])
def test_the_middleware_of_the_link_signs_nobody_in_before_the_code(
    client: Client, user: Any, settings: Any, offset: int
) -> None:
    """Fails when the user of a login that a middleware made becomes anonymous only after the
    view."""
    middleware = list(settings.MIDDLEWARE)
    middleware.insert(middleware.index(OURS) + offset, "sesame.middleware.AuthenticationMiddleware")
    settings.MIDDLEWARE = middleware
    assert b"ada" not in client.get(f"/who/{get_query_string(user)}").content
    assert client.get("/who/").content == b"AnonymousUser"
    assert state(client) == "parked"
