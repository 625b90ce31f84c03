"""Doors for APIs that accept the password alone: the check names an open door, and the
documentation closes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.code_blocks import code

from .rest_doors import (
    ALLAUTH_IN_TWO_STEPS,
    BASIC,
    CASES,
    ME,
    SESSIONS_BY_DEFAULT,
    Case,
    takes,
)
from .site import visit


@pytest.mark.attack("P9")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_door_that_stands_open_is_named_and_is_an_error_of_a_deployment(case: Case) -> None:
    """Fails when the door's line is removed from ``_KINDS``, and when a package moves the class
    that the check looks for."""
    outcome = case.run()
    assert outcome.result == "ada"
    assert outcome.ids() == [case.id, "W004"]
    assert len(outcome.messages) == 2
    for message in outcome.messages:
        assert case.door in message.text
        assert case.address in message.text
        assert f'"bandwidth_mfa.{case.id}:{case.door}"' in message.hint


@pytest.mark.attack("P9")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_door_that_is_closed_as_documented_lets_nobody_in_and_is_not_named(case: Case) -> None:
    """Fails when the check looks at the installed apps: the app of a closed door is still
    installed."""
    closed = case.closed()
    assert closed != case
    outcome = closed.run()
    # The answer "eve" comes from the visitor's own token.
    assert outcome.result in (None, "AnonymousUser", "eve", {"detail": "Unauthorized"})
    assert outcome.messages == []


AFTER_THE_CODE = """
from django_bandwidth_mfa.testing import login_verified
client.post("/accounts/login/", {"username": "ada", "password": password})
parked = client.post("/api/token/")
login_verified(client, ada)
client.handler.enforce_csrf_checks = True
forged = client.post("/api/token/")
client.handler.enforce_csrf_checks = False
content = client.post("/api/token/").json()
token = content.get("access") or content.get("token")
client.logout()
shown = client.get("/me/", headers={"authorization": f"SCHEME {token}"})
result = [parked["Location"], forged.status_code, shown.json()]
"""


@pytest.mark.attack("P9")
@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("REST framework's tokens", "Token"),
        ("simplejwt", "Bearer"),
        ("knox as its manual says", "Token"),
    ],
)
def test_a_token_is_issued_after_the_code_as_documented(name: str, scheme: str) -> None:
    """Fails when the documented view uses an authentication class that ignores the session."""
    program = AFTER_THE_CODE.replace("SCHEME", scheme)
    outcome = replace(CASES[name].closed(), program=program).run()
    assert outcome.result == ["/mfa/verify/?next=/api/token/", 403, "ada"]


@pytest.mark.attack("P9")
def test_ninja_jwts_token_is_issued_after_the_code_as_documented() -> None:
    """Fails without ``auth=django_auth``: the operation would have no user for the token."""
    program = """
from django_bandwidth_mfa.testing import login_verified
client.post("/accounts/login/", {"username": "ada", "password": password})
parked = client.post("/api/token")
login_verified(client, ada)
client.handler.enforce_csrf_checks = True
forged = client.post("/api/token")
client.handler.enforce_csrf_checks = False
token = client.post("/api/token").json()["access"]
client.logout()
shown = client.get("/api/me", headers={"authorization": f"Bearer {token}"})
result = [parked.status_code, forged.status_code, shown.json()]
"""
    assert replace(CASES["ninja-jwt"].closed(), program=program).run().result == [401, 403, "ada"]


@pytest.mark.attack("P9")
def test_a_password_grant_that_the_toolkits_own_setting_refuses_is_no_door() -> None:
    """Fails when only the class of the server is checked."""
    refused = 'OAUTH2_PROVIDER = {"COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True}'
    outcome = CASES["the password grant of OAuth 2.0"].run(refused)
    assert outcome.result == "AnonymousUser"
    assert outcome.messages == []


@pytest.mark.attack("P9")
def test_the_session_of_dj_rest_auths_login_waits_for_the_code() -> None:
    """For this reason, a dj-rest-auth login without tokens is no door."""
    case = replace(
        CASES["dj-rest-auth with a token"].closed(),
        settings=SESSIONS_BY_DEFAULT + code("settings.py, dj-rest-auth"),
        program="""
client.post("/api/login/", {"username": "ada", "password": password})
result = [client.get("/me/").json(), "bandwidth_mfa.parked" in str(dict(client.session))]
""",
    )
    outcome = case.run()
    assert outcome.result[0] == "AnonymousUser"
    assert outcome.messages == []


@pytest.mark.attack("P9", "P4")
def test_allauths_session_token_is_worth_nothing_until_the_code() -> None:
    """For this reason, allauth's session strategy is no door, for browsers and for apps. But the
    strategy does not check whether a session has ended."""
    sessions = "allauth.headless.contrib.rest_framework.authentication.XSessionTokenAuthentication"
    case = replace(
        CASES["allauth's access tokens"],
        settings=takes(sessions) + "HEADLESS_ONLY = True\n",
        program="""
answer = client.post(
    "/_allauth/app/v1/auth/login",
    {"username": "ada", "password": password},
    content_type="application/json",
).json()
token = answer["meta"]["session_token"]
shown = client.get("/me/", headers={"x-session-token": token})
own = client.get("/_allauth/app/v1/auth/session", headers={"x-session-token": token})
result = [shown.json(), own.status_code]
""",
    )
    outcome = case.run()
    assert outcome.result == ["AnonymousUser", 401]
    assert outcome.ids() == ["W016"]
    assert "/_allauth/app/v1/auth/login" in outcome.messages[0].text
    assert case.run(ALLAUTH_IN_TWO_STEPS).messages == []


@pytest.mark.attack("P9")
def test_allauths_stateful_validation_does_not_silence_its_door() -> None:
    """Fails when the setting counts as protection: allauth 65.14 accepts the token of a parked
    login."""
    stateful = "HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True"
    assert CASES["allauth's access tokens"].run(stateful).ids() == ["E024", "W004"]


CLEAN = """
from django.urls import include, path
from knox.views import LoginView, LogoutView
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt import views

class Me(APIView):
    def get(self, request):
        return Response(str(request.user))

urlpatterns = [
    path("me/", Me.as_view()),
    path("knox/login/", LoginView.as_view()),
    path("knox/logout/", LogoutView.as_view()),
    path("refresh/", views.token_refresh),
    path("refresh/sliding/", views.token_refresh_sliding),
    path("verify/", views.token_verify),
    path("blacklist/", views.token_blacklist),
    path("dj/", include("dj_rest_auth.urls")),
    path("_allauth/", include("allauth.headless.urls")),
    path("o/", include("oauth2_provider.urls")),
]
"""


def test_a_site_that_has_all_these_packages_and_no_door_hears_nothing() -> None:
    """Fails when a view that refreshes a token counts as a view that accepts a password."""
    outcome = visit(
        apps=(
            *("rest_framework", "rest_framework.authtoken", "rest_framework_simplejwt", "knox"),
            *("dj_rest_auth", "djoser", "allauth", "allauth.account", "allauth.headless"),
            *("oauth2_provider", "ninja", "ninja_extra", "ninja_jwt", "graphene_django"),
        ),
        settings="HEADLESS_ONLY = True\n"
        + ALLAUTH_IN_TWO_STEPS
        + SESSIONS_BY_DEFAULT
        + code("settings.py, dj-rest-auth")
        + code("settings.py, django-oauth-toolkit"),
        urls=CLEAN,
        program="",
    )
    assert outcome.messages == []


TWO_DOORS = (
    CASES["Basic given to as_view()"].urls
    + """
class Other(Me): pass
urlpatterns += [
    path("other/", Other.as_view(authentication_classes=[BasicAuthentication])),
    path("more/", Other.as_view(authentication_classes=[BasicAuthentication])),
]
"""
)


@pytest.mark.attack("P9")
@pytest.mark.parametrize(
    ("silenced", "expected"),
    [
        ([], [("E020", "Me"), ("E020", "Other"), ("W004", "Me"), ("W004", "Other")]),
        (["bandwidth_mfa.E020:site_urls.Me"], [("E020", "Other"), ("W004", "Other")]),
        (["bandwidth_mfa.E020"], []),
        (["bandwidth_mfa.W004"], [("E020", "Me"), ("E020", "Other")]),
        (
            ["bandwidth_mfa.E021"],
            [("E020", "Me"), ("E020", "Other"), ("W004", "Me"), ("W004", "Other")],
        ),
    ],
    ids=["nothing", "one door", "the kind", "the warning", "another kind"],
)
def test_a_door_is_silenced_by_its_own_name_or_that_of_its_kind(
    silenced: list[str], expected: list[tuple[str, str]]
) -> None:
    """Fails when W004 silences the error: the check would never report a door that is added
    later."""
    case = replace(CASES["Basic given to as_view()"], urls=TWO_DOORS)
    messages = case.run(f"SILENCED_SYSTEM_CHECKS = {silenced!r}").messages
    names = ("Me", "Other")
    result = [
        (message.id.removeprefix("bandwidth_mfa."), name)
        for message in messages
        for name in names
        if f"(site_urls.{name})" in message.text
    ]
    assert sorted(result) == expected
    assert len(messages) == len(expected)
    assert all("1 more address" in message.text for message in messages if "Other" in message.text)


def test_the_default_of_rest_framework_is_one_door_whatever_the_number_of_views() -> None:
    """Fails when each view counts as a door: one setting closes them all."""
    more = "class Other(Me): pass\nurlpatterns += [path('other/', Other.as_view())]\n"
    messages = replace(BASIC, urls=ME + more).run().messages
    assert [message.id for message in messages] == ["bandwidth_mfa.W004", "bandwidth_mfa.E020"]
    assert "(site_urls.Me and 1 more view)" in messages[0].text
