"""django-hijack and django-impersonate: the user gets no code, and staff stay signed in."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client, override_settings
from django.urls import include, path, resolve, reverse

from django_bandwidth_mfa.checks import check_site
from tests import urls
from tests.browsing import give_password, sign_in
from tests.conftest import make_user
from tests.urls import whoami

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

urlpatterns = [
    path("hijack/", include("django_bandwidth_mfa.contrib.hijack.urls")),
    path("impersonate/", include("impersonate.urls")),
    path("here/", whoami),
    *urls.urlpatterns,
]


@pytest.fixture
def seat(client: Client, bandwidth: Any) -> Client:
    """Return a browser in which a superuser is verified. The one code in the inbox is the
    superuser's."""
    sign_in(client, make_user("root", "+12025550188", is_staff=True, is_superuser=True), bandwidth)
    return client


def state_of(client: Client) -> tuple[str, str]:
    answer = client.get("/here/").json()
    return answer["user"], answer["state"]


@pytest.mark.package("django-hijack")
def test_hijack_leads_to_the_account_and_back_without_a_code(
    seat: Client, user: Any, bandwidth: Any
) -> None:
    """Fails with hijack's own URLs: the session is parked, and the user gets a code."""
    assert seat.post("/hijack/acquire/", {"user_pk": user.pk}).status_code == 302
    assert state_of(seat) == ("ada", "exempt")
    assert seat.get("/account/").status_code == 200
    assert seat.get("/mfa/phones/").status_code == 403
    assert seat.post("/hijack/release/").status_code == 302
    assert state_of(seat) == ("root", "verified")
    assert len(bandwidth.inbox) == 1
    assert seat.get("/mfa/phones/").status_code == 200
    # django-hijack has connected Django's receiver of `last_login` again, and our app replaced it.
    give_password(Client(), user)
    user.refresh_from_db()
    assert user.last_login is None


def test_hijack_keeps_its_own_rules_and_its_csrf_protection(
    client: Client, user: Any, seat: Client, bandwidth: Any
) -> None:
    other = Client()
    sign_in(other, make_user("eve", "+12025550166"), bandwidth)
    assert other.post("/hijack/acquire/", {"user_pk": user.pk}).status_code == 403
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = seat.cookies
    assert strict.post("/hijack/acquire/", {"user_pk": user.pk}).status_code == 403
    assert state_of(seat) == ("root", "verified")


def test_the_buttons_of_hijack_lead_to_our_views() -> None:
    for name in ("acquire", "release"):
        view = resolve(reverse(f"hijack:{name}")).func.view_class
        assert view.__module__ == "django_bandwidth_mfa.contrib.hijack.views"


def test_a_user_who_signs_in_where_staff_acted_is_not_released_into_the_account_of_staff(
    seat: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the session keeps hijack's list, and the release view does not check it: the user
    would be in the admin without any factor of the member of staff."""
    seat.post("/hijack/acquire/", {"user_pk": user.pk})
    give_password(seat, user)
    seat.get("/mfa/verify/")
    seat.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert state_of(seat) == ("ada", "verified")
    assert seat.post("/hijack/release/").status_code == 403
    session = seat.session
    session["hijack_history"] = [str(get_user_model().objects.get(username="root").pk)]
    session.save()
    assert seat.post("/hijack/release/").status_code == 403
    assert state_of(seat) == ("ada", "verified")


def doors_of_hijack() -> list[str]:
    return [one.id for one in check_site(None) if one.id == "bandwidth_mfa.W008"]


def test_the_check_names_hijacks_own_urls_and_is_silent_on_ours(settings: Any) -> None:
    assert doors_of_hijack() == []
    with override_settings(ROOT_URLCONF="tests.neighbours.hijacks_own_urls"):
        assert doors_of_hijack() == ["bandwidth_mfa.W008"]
    with override_settings(ROOT_URLCONF="tests.urls"):
        assert doors_of_hijack() == []


@pytest.mark.package("django-impersonate")
def test_impersonate_sends_no_code_and_staff_stay_signed_in(
    seat: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when the session is checked as the login of ``request.user``: the session would be
    parked."""
    configure(RECHECK_SECONDS=0)
    seat.get(f"/impersonate/{user.pk}/")
    assert state_of(seat) == ("ada", "exempt")
    assert seat.get("/mfa/verify/").status_code == 403
    assert seat.get("/verified/").status_code == 403
    assert seat.get("/atransfer/").status_code == 403
    seat.get("/impersonate/stop/")
    assert state_of(seat) == ("root", "verified")
    assert len(bandwidth.inbox) == 1
