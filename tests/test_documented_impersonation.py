"""The view of docs/impersonation.md with which staff use the account of a user.

The blocks of the page are run as they stand there.
"""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.test import Client
from django.urls import path

from . import urls
from .browsing import give_password, let_in
from .code_blocks import blocks, code
from .conftest import make_user

pytestmark = pytest.mark.django_db

PAGE = "docs/impersonation.md"


def buttons(request: HttpRequest) -> HttpResponse:
    """A page with the buttons of the guide, for the user ``ada``."""
    customer = get_user_model()._default_manager.get(username="ada")
    source = "".join(block.text for block in blocks("html", pages=[PAGE]))
    page = engines["django"].from_string(source).render({"customer": customer}, request)
    return HttpResponse(page)


@pytest.fixture(autouse=True)
def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The site of the guide."""
    views, urlconf = ModuleType("mysite.on_behalf"), ModuleType("mysite.urls")
    for module in (ModuleType("mysite"), views, urlconf):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(code("mysite/on_behalf.py", PAGE), vars(views))  # noqa: S102
    [source] = [
        block.text for block in blocks("python", pages=[PAGE]) if "use-account" in block.text
    ]
    vars(urlconf).update(path=path, urlpatterns=[path("", buttons), *urls.urlpatterns])
    exec(source, vars(urlconf))  # noqa: S102
    settings.ROOT_URLCONF = "mysite.urls"


@pytest.fixture
def seat(client: Client) -> Client:
    """Return a browser in which the superuser ``root`` is verified; no code was sent."""
    let_in(client, make_user("root", "+12025550188", is_staff=True, is_superuser=True))
    return client


def press(client: Client, label: str) -> int:
    """Press the button ``label`` on the page with the buttons. Return the status of the answer."""
    forms = re.findall(r'<form action="([^"]+)".*?</form>', page_of(client), re.DOTALL)
    labels = re.findall(r"<button>(.*?)</button>", page_of(client))
    return client.post(forms[labels.index(label)]).status_code


def page_of(client: Client) -> str:
    return client.get("/").content.decode()


def state_of(client: Client) -> tuple[str, str]:
    answer = client.get("/whoami/").json()
    return answer["user"], answer["state"]


@pytest.mark.attack("P39")
def test_staff_use_the_account_of_a_user_and_come_back(
    seat: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when a block of the guide is broken, for example without the ``with`` block of the way
    back: staff would be asked for a code."""
    assert press(seat, "Use the account of ada") == 302
    assert state_of(seat) == ("ada", "exempt")
    assert seat.get("/mfa/phones/").status_code == 403
    assert "You use the account of ada." in page_of(seat)
    assert press(seat, "Back to your own account") == 302
    assert state_of(seat) == ("root", "verified")
    assert "You use the account of" not in page_of(seat)
    assert seat.get("/mfa/phones/").status_code == 200
    assert bandwidth.inbox == []


@pytest.mark.attack("P39")
def test_only_a_superuser_may_use_an_account_and_only_of_a_customer(
    seat: Client, user: Any, newcomer: Any
) -> None:
    customer = Client()
    customer.force_login(newcomer)
    answer = customer.post(f"/use-account/{user.pk}/")
    assert (answer.status_code, state_of(customer)) == (302, ("newcomer", "exempt"))
    colleague = make_user("colleague", is_staff=True)
    assert seat.post(f"/use-account/{colleague.pk}/").status_code == 404
    assert seat.get(f"/use-account/{user.pk}/").status_code == 405
    assert state_of(seat) == ("root", "verified")


@pytest.mark.attack("P39")
def test_a_user_who_signs_in_there_does_not_get_into_the_account_of_staff(
    seat: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the way back does not check ``is_on_behalf``: a user whose session names staff
    would be signed in as staff."""
    assert press(seat, "Use the account of ada") == 302
    give_password(seat, user)
    seat.get("/mfa/verify/")
    seat.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert "staff" not in seat.session
    session = seat.session
    session["staff"] = str(get_user_model()._default_manager.get(username="root").pk)
    session.save()
    assert seat.post("/leave-account/").status_code == 403
    assert state_of(seat) == ("ada", "verified")
