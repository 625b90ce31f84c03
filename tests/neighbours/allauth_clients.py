"""A site with allauth headless, as docs/allauth.md sets it up, and a client that is an app."""

from __future__ import annotations

from typing import Any

from allauth.headless.contrib.rest_framework import authentication as stock
from django.test import Client
from django.urls import include, path
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_bandwidth_mfa.contrib.allauth import authentication as ours
from django_bandwidth_mfa.contrib.rest_framework.permissions import IsVerified, RecentlyVerified
from tests import urls
from tests.conftest import PASSWORD

API = "/_allauth/app/v1/"
CODE = API + "bandwidth-mfa/"


class Who(APIView):
    """Returns the user of the request, for each type of token that allauth has."""

    authentication_classes: list[type[BaseAuthentication]] = [  # noqa: RUF012
        ours.XSessionTokenAuthentication,
        ours.JWTTokenAuthentication,
    ]
    permission_classes: list[Any] = [IsAuthenticated]  # noqa: RUF012

    def get(self, request: Request) -> Response:
        return Response({"user": request.user.get_username()})


class WhoByStock(Who):
    """Returns the user of the request, by allauth's own classes."""

    authentication_classes = [  # noqa: RUF012
        stock.XSessionTokenAuthentication,
        stock.JWTTokenAuthentication,
    ]


urlpatterns = [
    path("_allauth/", include("django_bandwidth_mfa.contrib.allauth.urls")),
    path("_allauth/", include("allauth.headless.urls")),
    path("who/", Who.as_view()),
    path("who/stock/", WhoByStock.as_view()),
    path("who/verified/", Who.as_view(permission_classes=[IsVerified])),
    path("who/recent/", Who.as_view(permission_classes=[RecentlyVerified(60)])),
    *urls.urlpatterns,
]


class App:
    """A client without cookies. It stores the tokens that it gets."""

    def __init__(self) -> None:
        self.session_token: str | None = None
        self.access_token: str | None = None
        self.refresh_token: str | None = None

    def ask(self, method: str, address: str, *, by: str = "session", **body: Any) -> Any:
        """Send a request with the session's token, or with the access token."""
        headers = {}
        if by == "session" and self.session_token:
            headers["x-session-token"] = self.session_token
        if by == "access" and self.access_token:
            headers["authorization"] = f"Bearer {self.access_token}"
        answer = getattr(Client(enforce_csrf_checks=True), method)(
            address, body if method == "get" else body or "", **_json(method), headers=headers
        )
        assert not answer.cookies, answer.cookies
        if answer["Content-Type"] == "application/json":
            content = answer.json()
            for name, value in (content.get("meta") or {}).items():
                if name in vars(self):
                    setattr(self, name, value)
            for name, value in (content.get("data") or {}).items():
                if name in ("access_token", "refresh_token"):
                    setattr(self, name, value)
        return answer

    def get(self, address: str, **options: Any) -> Any:
        return self.ask("get", address, **options)

    def post(self, address: str, **body: Any) -> Any:
        return self.ask("post", address, **body)

    def give_password(self, user: Any, password: str = PASSWORD) -> Any:
        return self.post(API + "auth/login", username=user.get_username(), password=password)

    def sign_in(self, user: Any, bandwidth: Any) -> Any:
        """Send the password and the code, and return the answer to the code."""
        self.give_password(user)
        self.post(CODE + "send")
        return self.post(CODE + "verify", code=bandwidth.inbox[0]["code"])


def _json(method: str) -> dict[str, str]:
    return {} if method == "get" else {"content_type": "application/json"}


def pending(answer: Any) -> list[str]:
    """Return the flows that are pending in the answer."""
    flows = answer.json()["data"].get("flows", [])
    return [flow["id"] for flow in flows if flow.get("is_pending")]
