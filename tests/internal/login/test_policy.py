"""Which users need a code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY, get_user_model
from django.test import Client

from tests.browsing import give_password, sign_in, state
from tests.conftest import NUMBER, PASSWORD, make_user


@pytest.mark.parametrize(
    ("required", "enrolled", "plain", "staff"),
    [
        ("enrolled", "parked", "exempt", "exempt"),
        ("staff", "parked", "exempt", "parked"),
        ("all", "parked", "parked", "parked"),
        ("never", "exempt", "exempt", "exempt"),
        ("tests.policies.only_ada", "parked", "exempt", "exempt"),
    ],
)
def test_required_says_who_owes_a_code(
    required: str,
    enrolled: str,
    plain: str,
    staff: str,
    configure: Any,
    user: Any,
    newcomer: Any,
    bandwidth: Any,
) -> None:
    configure(REQUIRED=required)
    clerk = make_user("clerk", is_staff=True)
    for someone, expected in ((user, enrolled), (newcomer, plain), (clerk, staff)):
        client = Client()
        client.force_login(someone)
        assert state(client) == expected, someone


@pytest.mark.slow
def test_get_phones_takes_the_place_of_the_apps_own_table(
    client: Client, newcomer: Any, configure: Any, bandwidth: Any
) -> None:
    configure(GET_PHONES="tests.policies.numbers_of")
    assert sign_in(client, newcomer, bandwidth).status_code == 302
    assert state(client) == "verified"
    assert NUMBER[2:] not in json.dumps(dict(client.session))


def test_where_the_site_keeps_the_numbers_and_has_none_the_page_says_whom_to_ask(
    client: Client, user: Any, configure: Any, bandwidth: Any
) -> None:
    configure(GET_PHONES="tests.policies.numbers_of", REQUIRED="all")
    give_password(client, user)
    answer = client.get("/mfa/verify/", follow=True)
    assert answer.status_code == 403
    assert b"Contact support." in answer.content
    assert b"Use a different account" in answer.content
    assert client.post("/mfa/phones/add/", {"number": NUMBER}).status_code == 403
    assert state(client) == "parked"


def test_a_user_model_that_cannot_say_who_is_staff_lets_nobody_in(
    client: Client, db: None, bandwidth: Any, configure: Any, monkeypatch: Any
) -> None:
    """Fails when a missing ``is_staff`` counts as False: staff could sign in with the password
    alone."""
    configure(REQUIRED="staff")
    make_user("boss", is_staff=True)

    def renamed(user: Any) -> bool:
        raise AttributeError("is_staff")

    kept_quiet = property(renamed, lambda user, value: None)
    monkeypatch.setattr(get_user_model(), "is_staff", kept_quiet, raising=False)
    client.raise_request_exception = False
    client.post("/accounts/login/", {"username": "boss", "password": PASSWORD})
    assert SESSION_KEY not in client.session
