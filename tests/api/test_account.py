"""Recovery codes, trusted browsers, signing out and errors, over the JSON API."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection
from django.test import Client
from django.utils import translation

from django_bandwidth_mfa import exceptions, service
from django_bandwidth_mfa.api import ERRORS
from django_bandwidth_mfa.api.errors import APIError, answer_to
from django_bandwidth_mfa.api.errors import error_of as api_error
from django_bandwidth_mfa.models import RecoveryCode, TrustedBrowser
from django_bandwidth_mfa.testing import login_verified
from tests.browsing import sign_in, state
from tests.conftest import NUMBER, OTHER_NUMBER, make_user

from .calls import error_of, get, post

pytestmark = pytest.mark.django_db

START = 1_800_000_000
ROOT = Path(__file__).resolve().parents[2]


def trust(user: Any, name: str) -> TrustedBrowser:
    return TrustedBrowser.objects.create(
        user=user, digest=name, auth_hash=user.get_session_auth_hash(), name=name
    )


def test_recovery_codes_are_made_by_a_post_only(fresh: Client, two: Any) -> None:
    none = {"left": 0, "few": True, "set_size": 10, "owed": False}
    assert get(fresh, "recovery-codes").json() == none
    assert RecoveryCode.objects.count() == 0
    data = post(fresh, "recovery-codes").json()
    codes = data.pop("codes")
    assert data == {"left": 10, "few": False, "set_size": 10, "owed": False}
    assert service.use_recovery_code(two, codes[0]).passed
    assert "codes" not in get(fresh, "recovery-codes").json()


@pytest.mark.attack("P13")
def test_browsers_are_listed_and_forgotten(fresh: Client, two: Any, configure: Any) -> None:
    """Fails when the view accepts the browsers of all users."""
    configure(TRUST_DAYS=30)
    bob = make_user("bob")
    mine, other, theirs = trust(two, "Firefox"), trust(two, "Chrome"), trust(bob, "Safari")
    data = get(fresh, "browsers").json()
    assert data["trust_days"] == 30
    assert {row["name"] for row in data["browsers"]} == {"Firefox", "Chrome"}
    assert not any(row["is_this"] for row in data["browsers"])
    answer = post(fresh, f"browsers/{theirs.pk}/forget")
    assert error_of(answer) == (404, "no_such_browser")
    data = post(fresh, f"browsers/{mine.pk}/forget").json()
    assert [row["id"] for row in data["browsers"]] == [str(other.pk)]
    assert post(fresh, "browsers/forget").json()["browsers"] == []
    assert post(fresh, "browsers/forget").status_code == 200
    assert list(TrustedBrowser.objects.all()) == [theirs]


def test_signing_out_the_others_keeps_this_session_under_a_new_key(
    client: Client, user: Any, bandwidth: Any
) -> None:
    other = Client()
    with time_machine.travel(START, tick=False) as clock:
        sign_in(other, user, bandwidth)
        login_verified(client, user)
        clock.shift(1)
        before = client.session.session_key
        assert post(client, "sign-out-others").json() == {"within_seconds": 300}
        assert client.session.session_key != before
        clock.shift(300)
        assert (state(other), state(client)) == ("anonymous", "verified")


# Errors -----------------------------------------------------------------------------------------


def test_the_documentation_lists_each_error_with_its_status() -> None:
    """Fails when an error code or its status changes, and ``docs/api.md`` does not."""
    page = (ROOT / "docs/api.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (.*) \|$", page, re.MULTILINE)
    expected = [(code, str(kind.status), kind.meaning) for code, kind in ERRORS.items()]
    assert rows == expected


def test_each_error_of_the_package_has_a_code_of_its_own() -> None:
    """Fails when a new error has no code of its own in the API."""
    kinds = [kind for kind in vars(exceptions).values() if isinstance(kind, type)]
    kinds = [kind for kind in kinds if issubclass(kind, exceptions.MFAError)]
    made = [
        kind(1) if kind in (exceptions.Limited, exceptions.Busy) else kind()
        for kind in kinds
        if kind is not exceptions.MFAError
    ]
    codes = [api_error(error).code for error in made]
    assert "refused" not in codes
    assert len(set(codes)) == len(made)
    assert api_error(exceptions.MFAError()).code == "refused"


def test_messages_are_translated(settings: Any) -> None:
    """Fails when a message has no Spanish, or is translated while the module is imported."""
    for code, kind in ERRORS.items():
        english = str(kind.message)
        with translation.override("es"):
            answer = answer_to(APIError(code))
        spanish = json.loads(answer.content)["error"]["message"]
        assert spanish != english, code
    settings.MIDDLEWARE = ["django.middleware.locale.LocaleMiddleware", *settings.MIDDLEWARE]
    with translation.override("en"):  # the middleware changes the language of the thread
        error = get(Client(), "phones", **{"Accept-Language": "es"}).json()["error"]
    assert error["message"] == "Inicie sesión, por favor."


def test_an_unavailable_database_gets_the_status_503(fresh: Client) -> None:
    """Fails when the API does not catch the error: the answer would be an error page."""

    def fail(execute: Any, sql: str, *args: Any) -> Any:
        if "bandwidth_mfa_phone" in sql:
            unreadable = sqlite3.OperationalError("gone")
            unreadable.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise OperationalError("gone") from unreadable
        return execute(sql, *args)

    with connection.execute_wrapper(fail):
        answer = get(fresh, "phones")
    assert error_of(answer) == (503, "unavailable")
    assert answer["Retry-After"] == "10"


def test_nothing_in_an_answer_shows_a_number(fresh: Client, two: Any) -> None:
    for address in ("state", "phones", "phones/pending", "recovery-codes", "browsers"):
        body = get(fresh, address).content.decode()
        assert NUMBER[-8:] not in body
        assert OTHER_NUMBER[-8:] not in body
