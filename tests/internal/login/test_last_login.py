"""``last_login`` moves once for each login, when the login is complete."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import update_last_login
from django.contrib.auth.signals import user_logged_in
from django.test import Client

from django_bandwidth_mfa.internal.login import last_login
from tests.browsing import give_password
from tests.conftest import PASSWORD


def moment_of(user: Any) -> Any:
    user.refresh_from_db()
    return user.last_login


def test_it_moves_at_the_code_and_not_at_the_password(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails with Django's own receiver: the admin would show a login that was never completed."""
    give_password(client, user)
    client.get("/mfa/verify/")
    assert moment_of(user) is None
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert moment_of(user) is not None


def test_it_moves_at_the_password_of_a_login_that_owes_no_code(
    client: Client, newcomer: Any
) -> None:
    give_password(client, newcomer)
    assert moment_of(newcomer) is not None


def test_it_moves_when_the_password_is_given_again_in_a_verified_session(
    client: Client, user: Any, bandwidth: Any
) -> None:
    with time_machine.travel(1_900_000_000, tick=False) as clock:
        give_password(client, user)
        client.get("/mfa/verify/")
        client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
        before = moment_of(user)
        clock.shift(60)
        give_password(client, user)
        assert (moment_of(user) - before).total_seconds() == 60


@pytest.mark.parametrize("is_first", [True, False])
def test_the_order_of_the_receivers_makes_no_difference(
    client: Client, user: Any, newcomer: Any, bandwidth: Any, is_first: bool
) -> None:
    """Fails when a login that has just been parked counts as a login without a session."""
    receivers = list(user_logged_in.receivers)
    [ours] = [one for one in receivers if one[0][0] == last_login.NAME]
    others = [one for one in receivers if one is not ours]
    user_logged_in.receivers = [ours, *others] if is_first else [*others, ours]
    user_logged_in.sender_receivers_cache.clear()
    try:
        give_password(client, user)
        assert moment_of(user) is None
        client.get("/mfa/verify/")
        client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
        assert moment_of(user) is not None
        give_password(Client(), newcomer)
        assert moment_of(newcomer) is not None
    finally:
        user_logged_in.receivers = receivers
        user_logged_in.sender_receivers_cache.clear()


def test_a_login_without_a_session_moves_it_at_once(user: Any, rf: Any) -> None:
    """A view that issues a token makes such a login."""
    user_logged_in.send(type(user), user=user, request=None)
    first = moment_of(user)
    assert first is not None
    user_logged_in.send(type(user), user=user, request=rf.get("/"))
    assert moment_of(user) > first


def test_a_site_that_disconnects_it_keeps_it_as_it_is(client: Client, newcomer: Any) -> None:
    """Fails when ``last_login`` changes although the site has disconnected Django's receiver."""
    try:
        assert user_logged_in.disconnect(update_last_login, dispatch_uid=last_login.NAME)
        give_password(client, newcomer)
        assert moment_of(newcomer) is None
    finally:
        last_login.take_over()
    client.post("/accounts/login/", {"username": "newcomer", "password": PASSWORD})
    assert moment_of(newcomer) is not None


def test_it_is_taken_over_from_djangos_own_receiver(client: Client, user: Any) -> None:
    """django-hijack connects Django's own receiver again. An app whose ready() runs later can do
    that, too."""
    user_logged_in.disconnect(dispatch_uid=last_login.NAME)
    user_logged_in.connect(update_last_login, dispatch_uid=last_login.NAME)
    last_login.take_over()
    give_password(client, user)
    assert moment_of(user) is None
