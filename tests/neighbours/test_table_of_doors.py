"""The doors of other packages, one by one: the password alone opens none, and the code opens
each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from channels.generic.websocket import JsonWebsocketConsumer
from django.contrib.auth import get_user_model
from django.contrib.flatpages.models import FlatPage
from django.contrib.sites.models import Site
from django.test import Client
from django.urls import include, path
from rest_framework.authentication import SessionAuthentication
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from tests import urls
from tests.browsing import give_password
from tests.conftest import PASSWORD, make_user

from .settings import MIDDLEWARE
from .sockets import talk

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]

OURS = "django_bandwidth_mfa.middleware.BandwidthMFAMiddleware"
REMOTE_USER = "django.contrib.auth.middleware.RemoteUserMiddleware"


@api_view()
@authentication_classes([SessionAuthentication])
@permission_classes([IsAuthenticated])
def rest_view(request: Request) -> Response:
    return Response({"user": str(request.user)})


urlpatterns = [
    path("hijack/", include("django_bandwidth_mfa.contrib.hijack.urls")),
    path("impersonate/", include("impersonate.urls")),
    path("rest/", rest_view),
    *urls.urlpatterns,
]


class Consumer(JsonWebsocketConsumer):
    """Answers with the name of the current user."""

    def receive_json(self, content: Any, **kwargs: Any) -> None:
        self.send_json(str(self.scope["user"]))


# Ways to give the first factor ------------------------------------------------------------------


def by_login_page(client: Client, user: Any) -> None:
    give_password(client, user)


def by_allauth(client: Client, user: Any) -> None:
    client.post("/allauth/login/", {"login": user.username, "password": PASSWORD})


def by_proxy(client: Client, user: Any) -> None:
    client.defaults["REMOTE_USER"] = user.username
    client.get("/")


# Doors -------------------------------------------------------------------------------------------


def customer() -> Any:
    user = get_user_model()._default_manager.filter(username="ada").first()
    return user or make_user("ada")


def page(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def flatpage(client: Client) -> bool:
    site = Site.objects.get_current()
    fields = {"title": "Board", "content": "minutes", "registration_required": True}
    FlatPage.objects.get_or_create(url="/board/", defaults=fields)[0].sites.add(site)
    return b"minutes" in client.get("/board/").content


def rest_session(client: Client) -> bool:
    answer = client.get("/rest/")
    assert answer.status_code in (200, 403)
    return answer.status_code == 200


def socket(client: Client) -> bool:
    return talk(Consumer, {}, cookie=client.cookies["sessionid"].value) == ['"root"']


def hijack(client: Client) -> bool:
    client.post("/hijack/acquire/", {"user_pk": customer().pk})
    return client.get("/account/").content == b"account of ada"


def impersonate(client: Client) -> bool:
    client.get(f"/impersonate/{customer().pk}/")
    return client.get("/account/").content == b"account of ada"


@dataclass(frozen=True)
class Door:
    """A way to sign in: how the first factor is given, and whether the content behind the door is
    visible."""

    name: str
    enter: Callable[[Client, Any], None]
    is_open: Callable[[Client], bool]
    settings: dict[str, Any] = field(default_factory=dict)


def remote_user(offset: int) -> dict[str, Any]:
    """Return settings with ``RemoteUserMiddleware`` directly before ours (0), or directly after it
    (1)."""
    place = MIDDLEWARE.index(OURS) + offset
    return {
        "MIDDLEWARE": [*MIDDLEWARE[:place], REMOTE_USER, *MIDDLEWARE[place:]],
        "AUTHENTICATION_BACKENDS": ["django.contrib.auth.backends.RemoteUserBackend"],
    }


DOORS = [
    Door("login page, page", by_login_page, page),
    Door("login page, flatpage", by_login_page, flatpage),
    Door("login page, REST framework's session", by_login_page, rest_session),
    Door("login page, Channels", by_login_page, socket),
    Door("login page, hijack", by_login_page, hijack),
    Door("login page, impersonate", by_login_page, impersonate),
    Door("allauth, page", by_allauth, page),
    Door("allauth, flatpage", by_allauth, flatpage),
    Door("allauth, REST framework's session", by_allauth, rest_session),
    Door("allauth, Channels", by_allauth, socket),
    Door("RemoteUser before ours, page", by_proxy, page, remote_user(0)),
    Door("RemoteUser before ours, flatpage", by_proxy, flatpage, remote_user(0)),
    Door("RemoteUser before ours, REST framework", by_proxy, rest_session, remote_user(0)),
    Door("RemoteUser after ours, page", by_proxy, page, remote_user(1)),
    Door("RemoteUser after ours, flatpage", by_proxy, flatpage, remote_user(1)),
    Door("RemoteUser after ours, REST framework", by_proxy, rest_session, remote_user(1)),
]


@pytest.mark.parametrize("door", [pytest.param(door, id=door.name) for door in DOORS])
def test_the_password_alone_opens_no_door_and_the_code_opens_each(
    client: Client, bandwidth: Any, settings: Any, figures: Any, door: Door
) -> None:
    """Fails without the receiver: the first factor opens all doors."""
    for name, value in door.settings.items():
        setattr(settings, name, value)
    user = make_user("root", "+12025550188", is_staff=True, is_superuser=True)
    door.enter(client, user)
    assert not door.is_open(client)
    assert len(bandwidth.inbox) == 0
    client.get("/mfa/verify/")
    answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert answer.status_code == 302
    assert door.is_open(client)
    assert len(bandwidth.inbox) == 1
    figures.add("doors tried", 1)
