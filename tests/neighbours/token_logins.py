"""A site whose APIs accept sessions, REST framework's tokens and simplejwt's tokens, and its
clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.urls import path
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.authentication import TokenAuthentication as StockTokenAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt import authentication as simplejwt
from rest_framework_simplejwt import views as jwt_views

from django_bandwidth_mfa.contrib.rest_framework.authentication import (
    CodeRequiredMixin,
    TokenAuthentication,
)
from django_bandwidth_mfa.contrib.rest_framework.permissions import IsVerified, RecentlyVerified
from django_bandwidth_mfa.contrib.rest_framework.views import obtain_auth_token
from django_bandwidth_mfa.contrib.simplejwt.authentication import (
    JWTAuthentication,
    JWTStatelessUserAuthentication,
)
from tests import urls
from tests.api.calls import TicketClient, newest_code, post
from tests.conftest import PASSWORD


class Who(APIView):
    """Returns the user of the request. Each of the packages' own authentication classes is
    active."""

    authentication_classes = (
        SessionAuthentication,
        StockTokenAuthentication,
        simplejwt.JWTAuthentication,
        BasicAuthentication,
    )
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response(request.user.get_username())


class Verified(Who):
    permission_classes = (IsVerified,)


class Recent(Who):
    permission_classes = (RecentlyVerified(60),)


class Open(Who):
    permission_classes = (IsVerified | IsAuthenticated,)


class ByCode(Who):
    permission_classes = (RecentlyVerified(methods={"sms", "voice"}),)


class TokensFirst(Verified):
    """Checks the token before the cookie: a browser may send both."""

    authentication_classes = Who.authentication_classes[::-1]


class OwnBasic(CodeRequiredMixin, BasicAuthentication):
    pass


class Strict(Who):
    """Refuses each token whose login skipped the code."""

    authentication_classes = (
        TokenAuthentication,
        JWTAuthentication,
        OwnBasic,
    )


class Stateless(Who):
    authentication_classes = (JWTStatelessUserAuthentication,)
    permission_classes = (IsVerified,)

    def get(self, request: Request) -> Response:
        return Response(str(request.user.pk))


urlpatterns = [
    path("who/", Who.as_view()),
    path("verified/by/", Verified.as_view()),
    path("recent/", Recent.as_view()),
    path("by-code/", ByCode.as_view()),
    path("tokens-first/", TokensFirst.as_view()),
    path("open/", Open.as_view()),
    path("strict/", Strict.as_view()),
    path("stateless/", Stateless.as_view()),
    path("token/", obtain_auth_token),
    path("jwt/", jwt_views.token_obtain_pair),
    path("jwt/refresh/", jwt_views.token_refresh),
    path("sliding/", jwt_views.token_obtain_sliding),
    path("sliding/refresh/", jwt_views.token_refresh_sliding),
    *urls.urlpatterns,
]


def ask(door: str, **body: str) -> Any:
    """POST ``body`` to the door, without cookies."""
    return Client(enforce_csrf_checks=True).post(door, body, "application/json")


def ask_with_password(door: str, user: Any, password: str = PASSWORD) -> Any:
    return ask(door, username=user.get_username(), password=password)


def completion_for(ticket: str, bandwidth: Any) -> str:
    """Send a code, enter it with the ticket, and return the completion."""
    app = TicketClient(ticket)
    post(app, "send")
    completion: str = post(app, "verify", code=newest_code(bandwidth)).json()["completion"]
    return completion


def sign_in(door: str, user: Any, bandwidth: Any) -> Any:
    """Do both steps at the door, and return the body of the last answer."""
    first = ask_with_password(door, user)
    assert first.status_code == 202, first.content
    answer = ask(door, completion=completion_for(first.json()["ticket"], bandwidth))
    assert answer.status_code == 200, answer.content
    return answer.json()


@dataclass(frozen=True)
class Token:
    """A type of token: its door, its key in an answer, and its scheme."""

    door: str
    key: str
    scheme: str

    def header_of(self, text: str) -> dict[str, str]:
        return {"authorization": f"{self.scheme} {text}"}

    def sign_in(self, user: Any, bandwidth: Any) -> dict[str, str]:
        """Do both steps, and return the header that contains the token."""
        return self.header_of(sign_in(self.door, user, bandwidth)[self.key])


TOKENS = {
    "REST framework's": Token("/token/", "token", "Token"),
    "simplejwt's": Token("/jwt/", "access", "Bearer"),
}


def status(address: str, headers: dict[str, str] | None = None) -> int:
    code: int = Client().get(address, headers=headers).status_code
    return code
