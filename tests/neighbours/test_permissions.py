"""REST framework's permissions and authentication: what they require, and how they answer."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client, RequestFactory
from django.utils import translation
from django.views.debug import ExceptionReporter
from rest_framework.authtoken.models import Token as TokenRow
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from django_bandwidth_mfa.contrib.rest_framework.claims import claims_of, proof_of_claims
from django_bandwidth_mfa.contrib.rest_framework.permissions import RecentlyVerified
from django_bandwidth_mfa.contrib.rest_framework.two_steps import CodeOwed
from django_bandwidth_mfa.testing import login_verified
from django_bandwidth_mfa.verification import LoginProof, PendingLogin
from tests.api.calls import TicketClient, post
from tests.browsing import give_password
from tests.code_blocks import code
from tests.conftest import OTHER_NUMBER, PASSWORD, give_recovery_codes, make_user

from .token_logins import TOKENS, Token, ask, ask_with_password, status

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.neighbours.token_logins"),
]

MOMENT = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)

each_token = pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)


def answer_of(client: Client, address: str = "/verified/by/") -> tuple[int, Any]:
    answer = client.get(address)
    return answer.status_code, answer.json()


# Sessions ----------------------------------------------------------------------------------------


def test_a_visitor_is_told_to_sign_in(client: Client) -> None:
    assert answer_of(client) == (
        403,
        {
            "detail": "Please sign in.",
            "code": "sign_in_required",
            "next": {"page": "/accounts/login/", "api": "/mfa/api/login"},
        },
    )


def test_a_view_that_takes_no_session_does_not_lead_to_the_code_page(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the session is checked: the view would still refuse the user after the code."""
    give_password(client, user)
    code, body = answer_of(client, "/strict/")
    assert (code, body["code"], body["next"]) == (
        401,
        "sign_in_required",
        {"api": "/mfa/api/login"},
    )


CODE = {
    "detail": "A code is needed here.",
    "code": "code_required",
    "next": {"page": "/mfa/verify/", "api": "/mfa/api/send"},
}


@pytest.mark.parametrize("address", ["/verified/by/", "/who/"])
def test_a_parked_login_is_told_of_the_code(
    client: Client, user: Any, bandwidth: Any, address: str
) -> None:
    """A view that requires only a signed-in user also gives this answer."""
    give_password(client, user)
    assert answer_of(client, address) == (403, CODE)
    assert bandwidth.inbox == []


@pytest.mark.attack("P47")
def test_a_session_without_a_code_is_told_what_comes_next(client: Client, newcomer: Any) -> None:
    """Fails when IsVerified accepts any signed-in user."""
    client.force_login(newcomer)
    assert status("/who/") == 403
    assert client.get("/who/").status_code == 200
    code, body = answer_of(client)
    assert (code, body["code"]) == (403, "phone_required")
    assert body["next"] == {"page": "/mfa/phones/add/", "api": "/mfa/api/phones/add"}
    assert client.get("/open/").status_code == 200


def test_a_verified_session_is_let_in(client: Client, user: Any) -> None:
    login_verified(client, user)
    assert answer_of(client) == (200, "ada")
    assert answer_of(client, "/recent/") == (200, "ada")


def test_a_code_of_long_ago_is_not_recent(client: Client, user: Any) -> None:
    """Fails when RecentlyVerified ignores the age of the code."""
    with time_machine.travel(MOMENT, tick=False) as clock:
        login_verified(client, user)
        clock.shift(61)
        assert answer_of(client)[0] == 200
        assert answer_of(client, "/recent/") == (403, CODE)


@pytest.mark.attack("P17")
def test_a_trusted_browser_is_not_recent(client: Client, user: Any) -> None:
    login_verified(client, user, method="trusted_browser")
    assert answer_of(client)[0] == 200
    assert answer_of(client, "/recent/")[0] == 403


@pytest.mark.attack("P54")
@pytest.mark.parametrize("method", ["recovery_code", "trusted_browser", "security_key"])
def test_a_view_that_wants_a_code_takes_nothing_else(
    client: Client, user: Any, method: str
) -> None:
    """Fails when ``methods`` is not passed to the check."""
    login_verified(client, user, method=method)
    assert answer_of(client)[0] == 200
    assert answer_of(client, "/by-code/") == (403, CODE)
    login_verified(client, user, method="voice")
    assert answer_of(client, "/by-code/") == (200, "ada")


@each_token
@pytest.mark.attack("P54")
def test_a_token_that_a_recovery_code_has_made_is_not_enough_there(
    user: Any, bandwidth: Any, token: Token
) -> None:
    """Fails when the method of a token is not checked."""
    code = give_recovery_codes(user)[0]
    ticket = ask_with_password(token.door, user).json()["ticket"]
    answer = post(TicketClient(ticket), "recovery-code", recovery_code=code)
    made = ask(token.door, completion=answer.json()["completion"]).json()[token.key]
    assert status("/verified/by/", token.header_of(made)) == 200
    assert status("/by-code/", token.header_of(made)) == 403
    assert status("/by-code/", token.sign_in(user, bandwidth)) == 200


def test_methods_that_no_code_can_meet_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="methods must contain"):
        RecentlyVerified(60, methods={"recovery_code"})


@pytest.mark.attack("P39")
def test_staff_who_act_on_behalf_are_not_let_in(client: Client, user: Any, rf: Any) -> None:
    from django.contrib.auth import login

    from django_bandwidth_mfa.request import RequestMFA, login_on_behalf

    staff = make_user("staff", OTHER_NUMBER, is_staff=True)
    login_verified(client, staff)
    request = rf.get("/")
    request.session, request.user = client.session, staff
    request.mfa = RequestMFA(request)
    with login_on_behalf(request):
        login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session.save()
    client.cookies["sessionid"] = request.session.session_key
    assert answer_of(client, "/who/") == (200, "ada")
    code, body = answer_of(client)
    assert (code, body["code"]) == (403, "on_behalf")
    assert "next" not in body


def test_the_words_are_in_the_language_of_the_request(client: Client, newcomer: Any) -> None:
    client.force_login(newcomer)
    with translation.override("es"):
        detail = answer_of(client)[1]["detail"]
    assert detail != "A code is needed here, and you have no phone."
    assert detail


# Tokens ------------------------------------------------------------------------------------------


def made_elsewhere(token: Token, user: Any) -> dict[str, str]:
    """Return the header with a token of ``user`` that a command or another view has made."""
    if token.key == "token":
        return token.header_of(TokenRow.objects.create(user=user).key)
    return token.header_of(str(AccessToken.for_user(user)))


@pytest.mark.attack("P47")
@each_token
def test_a_token_that_skipped_the_code_is_not_verified(user: Any, token: Token) -> None:
    """Fails when a token without a record counts as verified."""
    headers = made_elsewhere(token, user)
    assert status("/who/", headers) == 200
    answer = Client().get("/verified/by/", headers=headers)
    assert (answer.status_code, answer.json()) == (
        403,
        {
            "detail": "A code is needed here.",
            "code": "code_required",
            "next": {"api": "/mfa/api/login"},
        },
    )
    assert status("/recent/", headers) == 403


@each_token
def test_the_user_of_a_token_adds_a_phone_before_a_code(newcomer: Any, token: Token) -> None:
    """Before, the answer named only another login, which asks this user for neither."""
    answer = Client().get("/verified/by/", headers=made_elsewhere(token, newcomer))
    assert (answer.status_code, answer.json()["code"]) == (403, "phone_required")
    assert answer.json()["next"] == {"page": "/mfa/phones/add/", "api": "/mfa/api/login"}


@pytest.mark.attack("P47")
@each_token
def test_authentication_refuses_a_token_that_skipped_the_code(user: Any, token: Token) -> None:
    """Fails with the packages' own classes, which the view ``/who/`` uses."""
    headers = made_elsewhere(token, user)
    answer = Client().get("/strict/", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "code_required")
    assert answer["WWW-Authenticate"]
    machine = make_user("machine")
    TokenRow.objects.all().delete()
    assert status("/strict/", made_elsewhere(token, machine)) == 200
    assert status("/strict/", token.header_of("x")) == 401


@pytest.mark.attack("P47", "P9")
def test_http_basic_is_refused_for_those_who_owe_a_code(user: Any) -> None:
    """Fails without CodeRequiredMixin: the view ``/who/`` does not use it, and lets the user in."""
    basic = {"authorization": "Basic " + b64encode(f"ada:{PASSWORD}".encode()).decode()}
    assert status("/who/", basic) == 200
    assert status("/verified/by/", basic) == 403
    assert status("/strict/", basic) == 401


@pytest.mark.attack("P49")
@each_token
def test_a_verified_session_beside_a_token_lends_it_nothing(
    client: Client, user: Any, token: Token
) -> None:
    """Fails when IsVerified checks the session although a token has authenticated the request."""
    login_verified(client, user)
    assert client.get("/tokens-first/").status_code == 200
    answer = client.get("/tokens-first/", headers=made_elsewhere(token, user))
    assert (answer.status_code, answer.json()["code"]) == (403, "code_required")


@pytest.mark.attack("P49")
@each_token
def test_a_verified_token_beside_a_session_lends_it_nothing(
    client: Client, newcomer: Any, user: Any, bandwidth: Any, token: Token
) -> None:
    """Fails when IsVerified checks a token that has not authenticated the request."""
    client.force_login(newcomer)
    headers = token.sign_in(user, bandwidth)
    assert status("/verified/by/", headers) == 200
    assert client.get("/verified/by/", headers=headers).status_code == 403


@pytest.mark.attack("P47")
@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"amr": ["pwd"]},
        {"amr": ["pwd", "sms"]},
        {"mfa_at": 1_800_000_000},
        {"amr": "pwd sms", "mfa_at": 1_800_000_000},
        {"amr": ["sms"], "mfa_at": 1_800_000_000},
        {"amr": ["otp", "sms"], "mfa_at": 1_800_000_000},
        {"amr": ["pwd", "sms"], "mfa_at": True},
        {"amr": ["pwd", "sms"], "mfa_at": "1800000000"},
        {"amr": ["pwd", "sms"], "mfa_at": 1e300},
        {"amr": {"pwd": "sms"}, "mfa_at": None},
    ],
)
def test_claims_of_another_form_say_nothing(user: Any, claims: dict[str, Any]) -> None:
    """Fails when one of the two claims is enough."""
    proof = proof_of_claims(claims, user)
    assert proof.method is None or proof.verified_at is None


@pytest.mark.parametrize("method", ["sms", "voice", "recovery_code", None])
def test_claims_are_read_as_they_were_written(user: Any, method: str | None) -> None:
    proof = LoginProof(
        user=user,
        signed_in_at=MOMENT,
        method=method,
        verified_at=MOMENT if method else None,
        phone="7" if method in ("sms", "voice") else None,
        password_digest="abc",
    )
    assert proof_of_claims(claims_of(proof), user) == proof


@pytest.mark.parametrize(("name", "queries"), [("REST framework's", 3), ("simplejwt's", 2)])
def test_the_permission_costs_as_many_queries_as_documented(
    user: Any, bandwidth: Any, django_assert_num_queries: Any, name: str, queries: int
) -> None:
    """The count leaves out the query that loads the user."""
    headers = TOKENS[name].sign_in(user, bandwidth)
    with django_assert_num_queries(1):
        assert status("/who/", headers) == 200
    with django_assert_num_queries(1 + queries):
        assert status("/verified/by/", headers) == 200


def test_the_verified_token_of_the_documentation_is_verified(user: Any) -> None:
    values: dict[str, Any] = {}
    exec(code("a verified token", "docs/rest-framework.md"), values)  # noqa: S102
    headers = {"authorization": f"Bearer {values['verified_token'](user)}"}
    assert status("/recent/", headers) == 200
    assert status("/strict/", headers) == 200


def test_a_rest_client_is_signed_in_as_any_other(user: Any) -> None:
    client = APIClient()
    login_verified(client, user)
    assert client.get("/verified/by/").json() == "ada"


@pytest.mark.attack("T9")
@pytest.mark.parametrize("door", ["/token/", "/jwt/"])
def test_an_error_report_shows_no_password(
    user: Any, bandwidth: Any, configure: Any, settings: Any, door: str
) -> None:
    """Fails without ``sensitive_variables``: local variables of this app contain the fields of the
    request. The test does not look at local variables of the package."""
    configure(REQUIRED="tests.neighbours.test_permissions.broken")
    client = Client(raise_request_exception=False)
    answer = client.post(door, {"username": "ada", "password": PASSWORD})
    assert answer.status_code == 500
    kind, error, trace = answer.exc_info
    report = ExceptionReporter(RequestFactory().get(door), kind, error, trace)
    ours = [
        frame
        for frame in report.get_traceback_data()["frames"]
        if "django_bandwidth_mfa" in frame["filename"]
    ]
    assert len(ours) >= 4
    assert [frame["function"] for frame in ours if PASSWORD in str(frame["vars"])] == []


@pytest.mark.attack("T9")
def test_the_error_that_a_code_is_owed_shows_no_ticket(user: Any) -> None:
    """Fails when the text of the error shows its answer, or the text of the pending login shows its
    ticket: both may be logged."""
    pending = PendingLogin(user=user, ticket="a-secret-ticket", needs="code")
    error = CodeOwed(pending)
    assert error.detail["ticket"] == "a-secret-ticket"
    for shown in (str(error), repr(error), repr(pending)):
        assert "a-secret-ticket" not in shown


def broken(request: Any, user: Any) -> bool:
    raise RuntimeError("broken")
