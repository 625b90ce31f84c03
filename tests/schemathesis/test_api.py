"""The JSON API under requests that schemathesis generates from the API's own description.

Each address gets requests from an anonymous visitor, a parked login, a signed-in user and a ticket.
Some bodies match the description and some do not. The requests also go from one address to the
next, along the links of the description. The nox session ``openapi`` runs this folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import schemathesis
from django.conf import settings as django_settings
from django.core import signals
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import checks

from django_bandwidth_mfa.models import Counter
from django_bandwidth_mfa.testing import login_verified
from tests.api.calls import ask_ticket, newest_code
from tests.browsing import give_password
from tests.conftest import NUMBER, OTHER_NUMBER, make_user

pytestmark = pytest.mark.django_db

schema = schemathesis.openapi.from_wsgi(
    "/mfa/api/openapi.json",
    get_wsgi_application(),
    # The tests make their own sessions and tickets.
    config=schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}}),
)

EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "25"))
EACH = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)

NOT_ASKED: list[Any] = [
    # A code, a number, a name or a channel that matches the description can still be wrong. The
    # answer is then 400.
    checks.CHECKS.get_one("positive_data_acceptance"),
    # This check repeats a request without the generated credentials, and the sessions here are not
    # generated. The anonymous visitor sends the same requests.
    checks.CHECKS.get_one("ignored_auth"),
]

SECRET = "a" * 32

# The addresses for a login that needs a code. All other addresses refuse it in the same way.
SIGNING_IN = ["/state", "/send", "/verify", "/recovery-code", "/cancel", "/phones"]


def credentials(who: str, user: Any) -> dict[str, dict[str, str]]:
    """Return the headers and cookies of ``who``, with a session or a ticket made just now."""
    if who == "ticket":
        return {"headers": {"Authorization": f"MFA-Ticket {ask_ticket(user).json()['ticket']}"}}
    client = Client()
    if who == "parked":
        give_password(client, user)
    elif who == "verified":
        login_verified(client, user)
    name = django_settings.SESSION_COOKIE_NAME
    cookies = {name: client.cookies[name].value} if name in client.cookies else {}
    return {
        "headers": {"X-CSRFToken": SECRET},
        "cookies": {**cookies, django_settings.CSRF_COOKIE_NAME: SECRET},
    }


def call_and_validate(case: Any, who: str, user: Any) -> Any:
    """Send the request of ``case`` as ``who``, and compare the answer with the description."""
    sent_with = credentials(who, user)
    # The connection stays, with the test's transaction.  Django's own client does the same, and
    # undoes it after each of its requests.
    for end in (signals.request_started, signals.request_finished):
        end.disconnect(close_old_connections)
    return case.call_and_validate(**sent_with, excluded_checks=NOT_ASKED)


@contextmanager
def undone() -> Iterator[None]:
    """Undo the database changes of the block, so that each example begins with the same data."""
    block = transaction.atomic()
    # Django's own test case does this: code that needs the outermost transaction ignores this one.
    block._from_testcase = True  # type: ignore[attr-defined]
    with block:
        yield
        transaction.set_rollback(True)


@pytest.fixture
def two(bandwidth: Any, db: None) -> Any:
    return make_user("ada", NUMBER, OTHER_NUMBER)


@pytest.mark.parametrize("who", ["anonymous", "parked", "verified", "ticket"])
@schema.parametrize()
@EACH
def test_each_address_answers_as_described(case: Any, who: str, two: Any, figures: Any) -> None:
    with undone():
        answer = call_and_validate(case, who, two)
    figures.add("requests", 1)
    figures.add(f"answers {answer.status_code}", 1)
    security = case.operation.definition.raw["security"]
    is_open = {} in security or (who == "ticket" and {"ticket": []} in security)
    if who in ("anonymous", "ticket") and not is_open and case.method in ("GET", "POST"):
        assert answer.status_code >= 400


@pytest.mark.parametrize("who", ["parked", "verified", "ticket"])
def test_addresses_asked_one_after_the_other_answer_as_described(
    who: str, two: Any, bandwidth: Any, figures: Any
) -> None:
    """One session is used from the first request to the last; the next run begins with a new
    session. A generated code is never right, so every second code of a valid request is replaced by
    the code that was sent. An invalid request stays as it is: the answer must be a refusal."""

    asked = schema if who == "verified" else schema.include(path=SIGNING_IN)

    class Machine(asked.as_state_machine()):  # type: ignore[misc,name-defined]
        def setup(self) -> None:
            self.world = undone()
            self.world.__enter__()
            bandwidth.reset()
            self.sent_with = credentials(who, two)
            self.codes = 0

        def teardown(self) -> None:
            self.world.__exit__(None, None, None)

        def before_call(self, case: Any) -> None:
            Counter.objects.all().delete()
            is_valid = case.meta is None or case.meta.generation.mode.is_positive
            if is_valid and isinstance(case.body, dict) and "code" in case.body:
                self.codes += 1
                if self.codes % 2 and bandwidth.inbox:
                    case.body["code"] = newest_code(bandwidth)
            for end in (signals.request_started, signals.request_finished):
                end.disconnect(close_old_connections)

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return dict(self.sent_with)

        def after_call(self, response: Any, case: Any) -> None:
            figures.add("requests one after the other", 1)
            figures.add(f"answers {response.status_code} one after the other", 1)
            for cookie in response.headers.get("set-cookie", []):
                name, _, value = cookie.partition(";")[0].partition("=")
                if "cookies" in self.sent_with:
                    self.sent_with["cookies"][name] = value
                    if name == django_settings.CSRF_COOKIE_NAME:
                        self.sent_with["headers"]["X-CSRFToken"] = value
            if response.status_code == 401:
                self.sent_with = credentials(who, two)

        def validate_response(self, response: Any, case: Any, **kwargs: Any) -> None:
            case.validate_response(response, excluded_checks=NOT_ASKED)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
