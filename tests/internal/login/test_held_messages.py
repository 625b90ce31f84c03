"""Messages of the login view are shown after the code, when they are true."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import messages
from django.http import HttpRequest
from django.test import Client
from django.utils.safestring import SafeData, mark_safe
from django.utils.translation import gettext_lazy

from tests.browsing import assert_shut
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def messages_of(answer: Any) -> list[Any]:
    return [message.message for message in answer.context["messages"]]


def finish(client: Client, bandwidth: Any) -> Any:
    """Enter the code, and return the messages of a page that shows messages."""
    answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert answer.status_code == 302
    return client.get("/mfa/phones/")


def test_allauth_says_signed_in_after_the_code(client: Client, user: Any, bandwidth: Any) -> None:
    """Fails when allauth's message is queued before the code."""
    client.post("/allauth/login/", {"login": "ada", "password": PASSWORD})
    assert messages_of(client.get("/mfa/verify/")) == []
    assert_shut(client)
    assert messages_of(finish(client, bandwidth)) == ["Successfully signed in as ada."]
    assert messages_of(client.get("/mfa/phones/")) == []


def welcome(sender: Any, request: HttpRequest, **kwargs: Any) -> None:
    """Add messages in a receiver, as a shop does: a lazy text, a safe text, and one below the
    level."""
    if request.META.get("PATH_INFO") == "/accounts/login/":
        messages.info(request, gettext_lazy("Yes"), extra_tags="shop")
        messages.warning(request, mark_safe("<b>Welcome</b>"))
        messages.debug(request, "not recorded: the level is too low")


def test_a_message_keeps_its_level_its_tags_and_whether_it_is_safe(
    client: Client, user: Any, bandwidth: Any, settings: Any
) -> None:
    """Fails when markup of the site is escaped, or when text of other people is not escaped."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.Welcoming"]
    client.post("/accounts/login/", {"username": "ada", "password": PASSWORD})
    assert messages_of(client.get("/mfa/verify/")) == []
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    page_messages = list(client.get("/mfa/phones/").context["messages"])
    assert [(one.level, one.message, one.extra_tags) for one in page_messages] == [
        (messages.INFO, "Yes", "shop"),
        (messages.WARNING, "<b>Welcome</b>", ""),
    ]
    assert [isinstance(one.message, SafeData) for one in page_messages] == [False, True]


class Welcoming:
    """Adds a message after the login view has answered."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        answer = self.get_response(request)
        if request.method == "POST":
            welcome(None, request)
        return answer


def test_a_login_that_owes_no_code_says_it_at_once(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    client.post("/allauth/login/", {"login": "newcomer", "password": PASSWORD})
    assert messages_of(client.get("/mfa/phones/")) == ["Successfully signed in as newcomer."]


def test_a_login_that_is_left_takes_its_messages_along(
    client: Client, user: Any, bandwidth: Any
) -> None:
    client.post("/allauth/login/", {"login": "ada", "password": PASSWORD})
    client.post("/mfa/cancel/")
    assert messages_of(client.get("/allauth/login/")) == []
