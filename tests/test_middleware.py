"""What the middleware costs, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import (
    get_user_model,
)
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import resolve

from django_bandwidth_mfa.internal.login.parking import AUTH_KEYS
from tests.browsing import give_password, queries_for_session_and_user, sign_in


def test_a_verified_request_costs_no_query_more_than_session_and_user(
    client: Client, user: Any, bandwidth: Any, django_assert_num_queries: Any
) -> None:
    sign_in(client, user, bandwidth)
    with django_assert_num_queries(queries_for_session_and_user()):
        assert client.get("/account/").status_code == 200
    with django_assert_num_queries(queries_for_session_and_user()):
        assert client.get("/transfer/").status_code == 200
    with django_assert_num_queries(0):
        assert client.get("/").status_code == 200


def test_login_completed_is_sent_once_per_login(
    client: Client, user: Any, newcomer: Any, bandwidth: Any
) -> None:
    from django_bandwidth_mfa.signals import login_completed

    heard: list[tuple[str, str | None]] = []

    def hear(user: Any, method: str | None, **kwargs: Any) -> None:
        heard.append((user.get_username(), method))

    login_completed.connect(hear)
    try:
        sign_in(client, user, bandwidth)
        give_password(Client(), newcomer)
    finally:
        login_completed.disconnect(hear)
    assert heard == [("ada", "sms"), ("newcomer", None)]


def test_a_login_that_wrote_no_session_is_left_alone(user: Any, rf: Any) -> None:
    from django.contrib.auth.signals import user_logged_in

    request = rf.get("/")
    user_logged_in.send(type(user), request=request, user=user)
    user_logged_in.send(type(user), request=None, user=user)
    assert not hasattr(request, "session")


@pytest.mark.attack("P8")
def test_an_answer_that_is_no_redirect_passes_through(user: Any, rf: Any, client: Client) -> None:
    from django.contrib.auth import login

    from django_bandwidth_mfa.middleware import BandwidthMFAMiddleware

    def view(request: HttpRequest) -> HttpResponse:
        login(request, user)
        assert request.user == user
        return HttpResponse("welcome")

    request = rf.post("/api/login/")
    request.resolver_match = resolve("/")  # the login is made inside a view
    request.session, request.user, request.auser = client.session, AnonymousUser(), None
    answer = BandwidthMFAMiddleware(view)(request)
    assert answer.content == b"welcome"  # type: ignore[union-attr]
    assert not request.user.is_authenticated
    assert not set(AUTH_KEYS) & set(request.session.keys())


def test_the_user_model_is_the_sites(user: Any) -> None:
    assert isinstance(user, get_user_model())
