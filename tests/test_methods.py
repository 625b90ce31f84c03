"""``mfa_required(methods={"sms", "voice"})``: views that only a code of Bandwidth's opens."""

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
def test_nothing_else_opens_it(client: Client, user: Any, page: str, method: str) -> None:
    """Fails when each verified session opens the view, as it does without ``methods``."""
    login_verified(client, user, method=method)
    assert state(client) == "verified"
    assert client.get(page)["Location"] == f"/mfa/verify/?next={page}"


@pytest.mark.attack("P54")
@pytest.mark.django_db(transaction=True)
def test_nothing_else_opens_it_in_an_async_site() -> None:
    """Fails when the async guard asks without ``methods``."""
    from asgiref.sync import async_to_sync

    client, ada = AsyncClient(), make_user("ada", NUMBER)
    async_to_sync(alogin_verified)(client, ada, method="recovery_code")
    answer = async_to_sync(client.get)("/apayee/")
    assert answer["Location"] == "/mfa/verify/?next=/apayee/"
    session = async_to_sync(client.asession)()
    assert session[CODE_ONLY] == ["/apayee/"]


@pytest.mark.attack("P54")
def test_a_session_that_owed_no_code_does_not_open_it(
    client: Client, user: Any, configure: Any
) -> None:
    """A session owes no code after another factor of ``policies.other_factor``, and when staff act
    on behalf of a user.  Fails when the guard checks neither the state nor the method of the
    session; each of the two checks is enough."""
    configure(REQUIRED="never")
    client.force_login(user)
    assert state(client) == "exempt"
    assert client.get("/payee/")["Location"] == "/mfa/verify/?next=/payee/"


def test_an_age_and_a_method_count_together(client: Client, user: Any) -> None:
    """Fails when one of the two is enough."""
    with time_machine.travel(START, tick=False) as clock:
        login_verified(client, user)
        assert client.get("/apayee/").status_code == 200
        clock.shift(61)
        assert client.get("/apayee/").status_code == 302
        assert client.get("/payee/").status_code == 200


def test_methods_that_are_named_are_enough(client: Client, user: Any) -> None:
    for method in ("recovery_code", "security_key"):
        login_verified(client, user, method=method)
        assert client.get("/wider/").status_code == 200


@pytest.mark.parametrize(
    "methods", ["sms", "sms voice", set(), {"sms"}, {"recovery_code"}, {"security_key"}]
)
def test_methods_that_no_step_up_can_meet_are_refused_at_once(methods: Any) -> None:
    """Fails when people are led round in a circle: a code, and the page that asks for one."""
    with pytest.raises(ValueError, match="methods must hold"):
        mfa_required(methods=methods)


# The step-up -------------------------------------------------------------------------------------

OFFER = b"Use a recovery code"


@pytest.fixture
def recovered(client: Client, user: Any) -> Client:
    """Somebody who has signed in with a recovery code, and has more of them."""
    code = give_recovery_codes(user)[0]
    give_password(client, user)
    client.post("/mfa/recovery-code/", {"recovery_code": code})
    assert client.get("/whoami/").json()["method"] == "recovery_code"
    return client


def test_the_step_up_offers_no_recovery_code_and_a_code_opens_the_view(
    recovered: Client, bandwidth: Any
) -> None:
    """Fails when the page offers what would not open the view."""
    answer = recovered.get("/payee/", follow=True)
    assert answer.redirect_chain == [("/mfa/verify/?next=/payee/", 302)]
    assert OFFER not in answer.content
    answer = recovered.post("/mfa/send/", {"next": "/payee/"}, follow=True)
    assert OFFER not in answer.content
    code = bandwidth.inbox[0]["code"]
    answer = recovered.post("/mfa/verify/", {"code": code, "next": "/payee/"}, follow=True)
    assert answer.content == b"payee"


def test_another_view_still_offers_it(recovered: Client) -> None:
    """Fails when one view removes the offer of a recovery code for all views."""
    recovered.get("/payee/")
    assert OFFER in recovered.get("/mfa/verify/?next=/transfer/").content
    assert OFFER in recovered.get("/mfa/verify/?next=/wider/").content


def test_a_login_still_takes_one(client: Client, user: Any, bandwidth: Any) -> None:
    """A login accepts a recovery code: the view asks for another code after it."""
    code = give_recovery_codes(user)[0]
    assert client.get("/payee/")["Location"] == "/accounts/login/?next=/payee/"
    give_password(client, user, "/payee/")
    assert OFFER in client.get("/mfa/verify/").content
    answer = client.post("/mfa/recovery-code/", {"recovery_code": code})
    assert answer["Location"] == "/payee/"
    assert client.get("/payee/")["Location"] == "/mfa/verify/?next=/payee/"


def test_no_recovery_code_is_used_up_in_vain(recovered: Client, user: Any) -> None:
    """Fails when the page behind a typed address takes one: the view would stay shut."""
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
def test_to_change_where_the_step_up_leads_opens_nothing(recovered: Client, user: Any) -> None:
    """The page offers a recovery code again without ``next``, or with another one.  Fails when the
    step-up is what guards the view, and not the view itself."""
    recovered.get("/payee/")
    code = give_recovery_codes(user)[0]
    answer = recovered.post("/mfa/recovery-code/", {"recovery_code": code, "next": "/payee/?x"})
    assert answer["Location"] == "/payee/?x"
    assert recovered.get("/payee/?x").status_code == 302


def test_the_session_knows_a_few_pages_only(recovered: Client) -> None:
    """Fails when each visit makes the session larger."""
    for number in [*range(8), 7]:
        recovered.get(f"/payee/?{number}")
    pages = recovered.session[CODE_ONLY]
    assert pages == [f"/payee/?{number}" for number in range(8 - MOST_PAGES, 8)]


def test_a_user_without_a_phone_adds_one_and_goes_on(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    """The code that proves a new phone is one of Bandwidth's."""
    give_password(client, newcomer)
    answer = client.get("/payee/")
    assert answer["Location"] == "/mfa/phones/add/?next=/payee/"
    client.post("/mfa/phones/add/", {"number": NUMBER, "next": "/payee/"})
    client.post("/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"], "next": "/payee/"})
    assert client.get("/payee/").content == b"payee"


def test_a_login_by_code_needs_no_other_one(client: Client, user: Any, bandwidth: Any) -> None:
    sign_in(client, user, bandwidth)
    assert client.get("/payee/").content == b"payee"
    assert len(bandwidth.inbox) == 1
