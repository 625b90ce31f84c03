"""A pytest plugin: the test client gives the code whenever a login waits for it.

dj-rest-auth's tests do not know about codes. If the answer to a password is a ticket, the client
adds the user's first phone or requests a code. Then it gives the code, and posts the completion. If
a view refuses a session that waits for its code, the client gives the code, and repeats the
request.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import responses
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import clear_url_caches, include, path
from their_tests import FIRST_PHONE, last_code

pytest_plugins = ["their_tests"]

WITH = os.environ["DJ_REST_AUTH_WITH"]

INACTIVE_USER = "fails without this app, too: it sends the token of a user who is not active"
NO_LOGIN = "fails without this app, too: it has no login but by the session"
NEW_PASSWORD = "a new password ends the token, which the test goes on to send"
OTHER_MFA = "the token that dj_rest_auth.mfa makes after its TOTP does not know of our code"
# The tests that cannot pass with tokens alone.
CANNOT_PASS = {
    "test_allauth_login_with_username": INACTIVE_USER,
    "test_login_by_email": INACTIVE_USER,
    "test_login_with_no_token_model": NO_LOGIN,
    "test_password_change": NEW_PASSWORD,
    "test_password_change_with_old_password": NEW_PASSWORD,
    "test_full_mfa_flow": OTHER_MFA,
    "test_mfa_status_enabled": OTHER_MFA,
    "test_mfa_status_last_used_at_updated_by_recovery_code": OTHER_MFA,
    "test_recovery_codes_regenerate": OTHER_MFA,
    "test_totp_activate_post_when_already_enabled": OTHER_MFA,
    "test_totp_deactivate": OTHER_MFA,
    "test_totp_deactivate_invalid_code": OTHER_MFA,
}

generic = Client.generic


def pytest_collection() -> None:
    """Make each client give the code. Let one serializer of the tests inherit from this app's."""
    if WITH == "contrib":
        from rest_framework_simplejwt import serializers

        from django_bandwidth_mfa.contrib.simplejwt.serializers import TokenObtainPairSerializer

        serializers.TokenObtainPairSerializer = TokenObtainPairSerializer
        Client.generic = give_code


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that cannot pass. If one of them passes, the run fails."""
    if WITH == "contrib" and os.environ["DJ_REST_AUTH_LOGIN"] == "tokens":
        for item in items:
            if reason := CANNOT_PASS.get(item.name):
                # No other error is expected, such as one of a view.
                expected = (AssertionError, ImproperlyConfigured)
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True, raises=expected))


@pytest.fixture(autouse=True)
def our_urls() -> None:
    """Add our URLs to the URLconf that the test has chosen."""
    urls = import_module(settings.ROOT_URLCONF)
    if WITH == "none" or hasattr(urls, "has_app_urls"):
        return
    urls.has_app_urls = True
    app_urls = [path("bandwidth-mfa/", include("django_bandwidth_mfa.urls"))]
    if WITH == "contrib":
        from django_bandwidth_mfa.contrib.dj_rest_auth.jwt_auth import get_refresh_view

        app_urls.append(path("token/refresh/", get_refresh_view().as_view()))
    urls.urlpatterns[:0] = app_urls
    clear_url_caches()


@pytest.fixture(autouse=True)
def network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let tests that fake a social network reach our fake Bandwidth. Let no test reach Facebook."""
    responses.add_passthru("http://127.0.0.1")
    if request.node.name != "test_http_error":
        yield
        return
    # This test sends a wrong token to Facebook over the internet.
    with responses.RequestsMock() as facebook:
        facebook.get("https://graph.facebook.com/v19.0/me", status=400)
        yield


def give_code(client: Client, method: str, address: str, *args: Any, **kwargs: Any) -> Any:
    answer = generic(client, method, address, *args, **kwargs)
    body = json_of(answer)
    following = body.get("next", {}).get("api", "")
    if answer.status_code == 202 and "ticket" in body:
        # A request with a ticket has no cookies.
        ticket = {"HTTP_AUTHORIZATION": f"MFA-Ticket {body['ticket']}"}
        passed = pass_code(Client(), following, ticket)
        return post(client, address, {}, completion=passed["completion"])
    if following.endswith(("/api/send", "/api/phones/add")):
        pass_code(client, following, {})
        return generic(client, method, address, *args, **kwargs)
    return answer


def json_of(answer: Any) -> dict[str, Any]:
    if answer.get("Content-Type") != "application/json":
        return {}
    body = answer.json()
    return body if isinstance(body, dict) else {}


def pass_code(client: Client, following: str, headers: dict[str, str]) -> dict[str, Any]:
    """Give the code, beginning at the address in an answer, and return the last answer."""
    if following.endswith("/phones/add"):
        post(client, following, headers, number=FIRST_PHONE)
        last = following.replace("/add", "/confirm")
    else:
        post(client, following, headers)
        last = following.replace("/send", "/verify")
    passed = post(client, last, headers, code=last_code())
    assert passed.status_code == 200, passed.content
    state: dict[str, Any] = passed.json()
    return state


def post(client: Client, address: str, headers: dict[str, str], **body: str) -> Any:
    if "csrftoken" in client.cookies:
        headers = {**headers, "HTTP_X_CSRFTOKEN": client.cookies["csrftoken"].value}
    return generic(client, "POST", address, json.dumps(body), "application/json", **headers)
