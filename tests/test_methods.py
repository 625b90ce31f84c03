"""``mfa_required(methods={"sms", "voice"})``: views that only a code from Bandwidth opens."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from django.views import View

from django_bandwidth_mfa.decorators import mfa_required
from django_bandwidth_mfa.internal.login.mark import CODE_ONLY, MOST_PAGES
from django_bandwidth_mfa.mixins import MFARequiredMixin
from django_bandwidth_mfa.models import RecoveryCode
from django_bandwidth_mfa.testing import alogin_verified, login_verified

from . import urls
from .browsing import give_password, sign_in, state
from .conftest import NUMBER, give_recovery_codes, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

CODES = {"sms", "voice"}
START = 1_800_000_000


@mfa_required(methods=CODES)
def payee(request: HttpRequest) -> HttpResponse:
    return HttpResponse("payee")


@mfa_required(max_age=60, methods=CODES)
async def apayee(request: HttpRequest) -> HttpResponse:
    return HttpResponse("async payee")


class PayeeView(MFARequiredMixin, View):
    mfa_methods = CODES

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("class payee")


@mfa_required(methods=[*CODES, "recovery_code", "security_key"])
def wider(request: HttpRequest) -> HttpResponse:
    return HttpResponse("wider")


urlpatterns = [
    path("payee/", payee),
    path("apayee/", apayee),
    path("class-payee/", PayeeView.as_view()),
    path("wider/", wider),
    *urls.urlpatterns,
]

PAGES = ("/payee/", "/apayee/", "/class-payee/")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("method", ["sms", "voice"])
def test_a_code_opens_the_view(client: Client, user: Any, page: str, method: str) -> None:
    login_verified(client, user, method=method)
    assert client.get(page).status_code == 200


@pytest.mark.slow
@pytest.mark.attack("P54")
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("method", ["recovery_code", "trusted_browser", "security_key"])
def test_no_other_method_opens_the_view(client: Client, user: Any, page: str, method: str) -> None:
    """Fails when each verified session opens the view. This is right only without ``methods``."""
    login_verified(client, user, method=method)
    assert state(client) == "verified"
    assert client.get(page)["Location"] == f"/mfa/verify/?next={page}"


@pytest.mark.attack("P54")
@pytest.mark.django_db(transaction=True)
def test_no_other_method_opens_an_async_view() -> None:
    """Fails when the async check ignores ``methods``."""
    from asgiref.sync import async_to_sync

    client, ada = AsyncClient(), make_user("ada", NUMBER)
    async_to_sync(alogin_verified)(client, ada, method="recovery_code")
    answer = async_to_sync(client.get)("/apayee/")
    assert answer["Location"] == "/mfa/verify/?next=/apayee/"
    session = async_to_sync(client.asession)()
    assert session[CODE_ONLY] == ["/apayee/"]


@pytest.mark.attack("P54")
def test_a_session_that_owed_no_code_does_not_open_the_view(
    client: Client, user: Any, configure: Any
) -> None:
    """A session owes no code after another factor of ``policies.other_factor``, and when staff act
    on behalf of a user.  Fails when neither the state nor the method of the session is
    checked. Each of the two checks is enough."""
    configure(REQUIRED="never")
    client.force_login(user)
    assert state(client) == "exempt"
    assert client.get("/payee/")["Location"] == "/mfa/verify/?next=/payee/"


def test_both_the_age_and_the_method_must_be_right(client: Client, user: Any) -> None:
    """Fails when one of the two conditions is enough."""
    with time_machine.travel(START, tick=False) as clock:
        login_verified(client, user)
        assert client.get("/apayee/").status_code == 200
        clock.shift(61)
        assert client.get("/apayee/").status_code == 302
        assert client.get("/payee/").status_code == 200


def test_each_method_in_the_set_opens_the_view(client: Client, user: Any) -> None:
    for method in ("recovery_code", "security_key"):
        login_verified(client, user, method=method)
        assert client.get("/wider/").status_code == 200


@pytest.mark.parametrize(
    "methods", ["sms", "sms voice", set(), {"sms"}, {"recovery_code"}, {"security_key"}]
)
def test_methods_that_no_step_up_can_provide_are_refused_at_once(methods: Any) -> None:
    """Fails when users are sent in a circle: after a right code, the page asks for a code again."""
    with pytest.raises(ValueError, match="methods must contain"):
        mfa_required(methods=methods)


# The step-up -------------------------------------------------------------------------------------

OFFER = b"Use a recovery code"


@pytest.fixture
def recovered(client: Client, user: Any) -> Client:
    """A client of a user who has signed in with a recovery code, and has more of them."""
    code = give_recovery_codes(user)[0]
    give_password(client, user)
    client.post("/mfa/recovery-code/", {"recovery_code": code})
    assert client.get("/whoami/").json()["method"] == "recovery_code"
    return client


def test_the_step_up_offers_no_recovery_code_and_a_code_opens_the_view(
    recovered: Client, bandwidth: Any
) -> None:
    """Fails when the page offers a method that does not open the view."""
    answer = recovered.get("/payee/", follow=True)
    assert answer.redirect_chain == [("/mfa/verify/?next=/payee/", 302)]
    assert OFFER not in answer.content
    answer = recovered.post("/mfa/send/", {"next": "/payee/"}, follow=True)
    assert OFFER not in answer.content
    code = bandwidth.inbox[0]["code"]
    answer = recovered.post("/mfa/verify/", {"code": code, "next": "/payee/"}, follow=True)
    assert answer.content == b"payee"


def test_the_step_up_of_another_view_offers_a_recovery_code(recovered: Client) -> None:
    """Fails when one view removes the offer of a recovery code for all views."""
    recovered.get("/payee/")
    assert OFFER in recovered.get("/mfa/verify/?next=/transfer/").content
    assert OFFER in recovered.get("/mfa/verify/?next=/wider/").content


def test_a_login_accepts_a_recovery_code(client: Client, user: Any, bandwidth: Any) -> None:
    """After a login with a recovery code, the view asks for a code from Bandwidth."""
    code = give_recovery_codes(user)[0]
    assert client.get("/payee/")["Location"] == "/accounts/login/?next=/payee/"
    give_password(client, user, "/payee/")
    assert OFFER in client.get("/mfa/verify/").content
    answer = client.post("/mfa/recovery-code/", {"recovery_code": code})
    assert answer["Location"] == "/payee/"
    assert client.get("/payee/")["Location"] == "/mfa/verify/?next=/payee/"


def test_a_recovery_code_that_cannot_open_the_view_is_not_used_up(
    recovered: Client, user: Any
) -> None:
    """Fails when the page accepts a recovery code at an address that the user has typed: the code
    would be used up, and the view would stay closed."""
    recovered.get("/payee/")
    left = RecoveryCode.objects.left(user)
    code = give_recovery_codes(user)[0]
    for answer in (
        recovered.get("/mfa/recovery-code/?next=/payee/"),
        recovered.post("/mfa/recovery-code/", {"recovery_code": code, "next": "/payee/"}),
    ):
        assert answer["Location"] == "/mfa/verify/?next=/payee/"
    assert RecoveryCode.objects.left(user) == left + 10


@pytest.mark.attack("P54")
def test_another_next_does_not_open_the_view(recovered: Client, user: Any) -> None:
    """The page offers a recovery code again without ``next``, or with another one.  Fails when
    only the step-up protects the view, and not the view itself."""
    recovered.get("/payee/")
    code = give_recovery_codes(user)[0]
    answer = recovered.post("/mfa/recovery-code/", {"recovery_code": code, "next": "/payee/?x"})
    assert answer["Location"] == "/payee/?x"
    assert recovered.get("/payee/?x").status_code == 302


def test_the_session_remembers_only_a_few_pages(recovered: Client) -> None:
    """Fails when each visit makes the session larger."""
    for number in [*range(8), 7]:
        recovered.get(f"/payee/?{number}")
    pages = recovered.session[CODE_ONLY]
    assert pages == [f"/payee/?{number}" for number in range(8 - MOST_PAGES, 8)]


def test_a_user_without_a_phone_adds_one_and_reaches_the_view(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    """The code that confirms a new phone also comes from Bandwidth."""
    give_password(client, newcomer)
    answer = client.get("/payee/")
    assert answer["Location"] == "/mfa/phones/add/?next=/payee/"
    client.post("/mfa/phones/add/", {"number": NUMBER, "next": "/payee/"})
    client.post("/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"], "next": "/payee/"})
    assert client.get("/payee/").content == b"payee"


def test_after_a_login_with_a_code_the_view_asks_for_no_other_code(
    client: Client, user: Any, bandwidth: Any
) -> None:
    sign_in(client, user, bandwidth)
    assert client.get("/payee/").content == b"payee"
    assert len(bandwidth.inbox) == 1
