"""The doors of docs/other-packages.md: the first factor leads to the code, and the code opens the
site.

Each site runs in a separate process, with the settings of the page.
"""

from __future__ import annotations

from importlib.metadata import version

import pytest

from tests.code_blocks import code
from tests.other_packages import ROWS, Row

from .site import Outcome, visit

PAGE = "docs/other-packages.md"

URLS = """
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.urls import include, path

@login_required
def inside(request):
    return HttpResponse(f"{request.user} {request.mfa.method}")

urlpatterns = [path("inside/", inside)]
"""

# Functions for every visit.
VISITOR = """
from django_bandwidth_mfa.testing import FakeBandwidth

fake = FakeBandwidth()
fake.__enter__()

def give_password(text=None):
    data = {"username": "ada", "password": text or password}
    return client.post("/accounts/login/?next=/inside/", data)

def give_code(text=None):
    client.get("/mfa/verify/")
    return client.post("/mfa/verify/", {"code": text or fake.outbox[0]["code"]})

def inside():
    answer = client.get("/inside/")
    return answer.content.decode() if answer.status_code == 200 else answer.status_code

def walk(first):
    '''Where the first factor leads, and who is in before the code, after a wrong one, and after.'''
    result = [first["Location"], client.get("/mfa/api/state").json()["state"], inside()]
    give_code("000000")
    result.append(inside())
    result += [give_code()["Location"], inside()]
    return result
"""

WALKED = ["/mfa/verify/", "parked", 302, 302, "/inside/", "ada sms"]


END = "\nfake.__exit__(None, None, None)\n"


def site(*apps: str, settings: str, program: str, urls: str = "") -> Outcome:
    return visit(apps=apps, settings=settings, urls=URLS + urls, program=VISITOR + program + END)


# django-axes -------------------------------------------------------------------------------------

AXES = code("settings.py, django-axes", PAGE)


@pytest.mark.package("django-axes")
def test_with_axes_the_password_leads_to_the_code_and_the_code_in() -> None:
    """Fails without the receiver that parks logins: the first factor would be enough."""
    outcome = site(settings=AXES, program="result = walk(give_password())")
    assert outcome.result == WALKED


@pytest.mark.package("django-axes")
@pytest.mark.parametrize("what", ["password", "code", "JSON API"])
def test_axes_counts_wrong_passwords_and_wrong_codes_and_locks_out(what: str) -> None:
    """Fails when ``user_login_failed`` is not sent for a wrong code, or for a wrong password at the
    JSON API."""
    program = {
        "password": """
for _ in range(3):
    give_password("wrong")
result = [give_password().status_code, inside()]
""",
        "code": """
give_password()
for number in range(3):
    give_code(f"00000{number}")
client.cookies.clear()
result = [give_password().status_code, inside()]
""",
        "JSON API": """
def by_api(text):
    data = {"username": "ada", "password": text}
    client.cookies.clear()
    return client.post("/mfa/api/login", data, "application/json")

for _ in range(3):
    by_api("wrong")
result = [by_api(password).status_code, inside()]
""",
    }[what]
    outcome = site(settings=AXES, program=program)
    assert outcome.result == [429, 302]


@pytest.mark.package("django-axes")
def test_axes_leaves_a_login_after_the_password_to_the_limits_of_this_app() -> None:
    """Fails when the page is wrong: at the limit of axes, a right code still ends this login."""
    program = """
give_password()
result = [give_code(f"00000{number}").status_code for number in range(3)]
result += [give_code()["Location"], inside()]
"""
    outcome = site(settings=AXES, program=program)
    assert outcome.result == [302, 302, 429, "/inside/", "ada sms"]


# django-sesame -----------------------------------------------------------------------------------


@pytest.mark.package("django-sesame")
def test_a_link_of_sesame_leads_to_the_code_and_the_code_in() -> None:
    outcome = site(
        settings=code("settings.py, django-sesame", PAGE),
        urls=code("urls.py, django-sesame", PAGE),
        program="""
from sesame.utils import get_query_string
result = walk(client.get("/link/" + get_query_string(ada) + "&next=/inside/"))
""",
    )
    assert outcome.result == WALKED


# mozilla-django-oidc -----------------------------------------------------------------------------


@pytest.mark.package("mozilla-django-oidc")
def test_the_callback_of_oidc_leads_to_the_code_and_the_code_in() -> None:
    outcome = site(
        settings=code("settings.py, mozilla-django-oidc", PAGE)
        + """
OIDC_RP_CLIENT_ID = "bank"
OIDC_RP_CLIENT_SECRET = "for the tests only: long enough for HS256"
OIDC_OP_AUTHORIZATION_ENDPOINT = "https://people.example/authorize"
OIDC_OP_TOKEN_ENDPOINT = "https://people.example/token"
OIDC_OP_USER_ENDPOINT = "https://people.example/user"
""",
        urls='urlpatterns += [path("oidc/", include("mozilla_django_oidc.urls"))]\n',
        program="""
from urllib.parse import parse_qs, urlsplit
import jwt
import responses
from django.conf import settings

def come_from_provider(asked):
    query = {name: values[0] for name, values in parse_qs(urlsplit(asked).query).items()}
    claims = {"sub": "1", "nonce": query["nonce"], "email": ada.email, "aud": "bank"}
    id_token = jwt.encode(claims, settings.OIDC_RP_CLIENT_SECRET, algorithm="HS256")
    tokens = {"id_token": id_token, "access_token": "a"}
    with responses.RequestsMock() as provider:
        provider.post(settings.OIDC_OP_TOKEN_ENDPOINT, json=tokens)
        provider.get(settings.OIDC_OP_USER_ENDPOINT, json=claims)
        return client.get("/oidc/callback/", {"code": "x", "state": query["state"]})

result = walk(come_from_provider(client.get("/oidc/authenticate/?next=/inside/")["Location"]))
# Later its middleware asks the provider again, and nobody has to give another code.
session = client.session
session["oidc_id_token_expiration"] = 0
session.save()
again = client.get("/inside/")["Location"]
result += [urlsplit(again).netloc, come_from_provider(again)["Location"], inside()]
""",
    )
    assert outcome.result == [*WALKED, "people.example", "/inside/", "ada sms"]


# social-auth-app-django --------------------------------------------------------------------------


@pytest.mark.package("social-auth-app-django")
def test_a_social_login_leads_to_the_code_and_the_code_in() -> None:
    outcome = site(
        settings=code("settings.py, social-auth-app-django", PAGE)
        + 'SOCIAL_AUTH_GITHUB_KEY = "bank"\nSOCIAL_AUTH_GITHUB_SECRET = "secret"\n',
        urls=code("urls.py, social-auth-app-django", PAGE),
        program="""
from urllib.parse import parse_qs, urlsplit
import responses
from django_bandwidth_mfa.testing import login_verified

def come_from_github():
    asked = client.post("/social/login/github/", {"next": "/inside/"})["Location"]
    state = parse_qs(urlsplit(asked).query)["state"][0]
    person = {"id": 7, "login": "ada", "email": ada.email}
    with responses.RequestsMock() as github:
        github.post("https://github.com/login/oauth/access_token", json={"access_token": "a"})
        github.get("https://api.github.com/user", json=person)
        return client.get("/social/complete/github/", {"code": "x", "state": state})

# The owner connects the account, and signs in with it later.
login_verified(client, ada)
come_from_github()
client.logout()
result = walk(come_from_github())
""",
    )
    assert outcome.result == WALKED


# Admins ------------------------------------------------------------------------------------------


@pytest.mark.package("wagtail")
def test_wagtails_login_leads_to_the_code_and_the_code_in() -> None:
    outcome = site(
        *("wagtail.users", "wagtail.images", "wagtail.documents", "wagtail.search"),
        *("wagtail.admin", "wagtail", "wagtail.contrib.settings", "wagtail.sites"),
        *("modelcluster", "taggit"),
        settings=code("settings.py, Wagtail", "docs/wagtail.md"),
        urls="from wagtail.admin import urls as wagtail_urls\n"
        'urlpatterns += [path("cms/", include(wagtail_urls))]\n',
        program="""
from wagtail.models import Locale, Page

# As its migrations make them.
Locale.objects.create(language_code="en")
Page.add_root(instance=Page(title="Root", slug="root"))
ada.is_superuser = ada.is_staff = True
ada.save()
data = {"username": "ada", "password": password, "next": "/inside/"}
result = walk(client.post("/cms/login/", data))
account = client.get("/cms/account/").content.decode()
result += [client.get("/cms/").status_code, 'href="/mfa/phones/"' in account]
""",
    )
    assert outcome.result == [*WALKED, 200, True]


@pytest.mark.package("django-unfold")
def test_unfolds_admin_leads_to_the_code_and_shows_our_pages() -> None:
    outcome = site(
        settings=code("settings.py, Unfold", PAGE),
        urls='from django.contrib import admin\nurlpatterns += [path("admin/", admin.site.urls)]\n',
        program="""
ada.is_superuser = ada.is_staff = True
ada.save()
data = {"username": "ada", "password": password, "next": "/inside/"}
shown = client.get("/admin/login/").content.decode()
result = walk(client.post("/admin/login/?next=/inside/", data))
addresses = ["", "bandwidth_mfa/phone/", "bandwidth_mfa/challenge/", f"auth/user/{ada.pk}/change/"]
answers = [client.get("/admin/" + address) for address in addresses]
result += ["unfold" in shown, *(answer.status_code for answer in answers)]
result.append("unfold" in answers[1].content.decode())
""",
    )
    assert outcome.result == [*WALKED, True, 200, 200, 200, 200, True]


# Staff -------------------------------------------------------------------------------------------


@pytest.mark.package("django-hijack")
def test_staff_hijack_a_user_after_their_own_code_and_nobody_is_sent_one() -> None:
    outcome = site(
        settings=code("settings.py, django-hijack", PAGE),
        urls=code("urls.py, django-hijack", PAGE).replace(
            "urlpatterns = [", "urlpatterns = [*urlpatterns, "
        ),
        program="""
from tests.conftest import make_user
ada.is_superuser = ada.is_staff = True
ada.save()
eve = make_user("eve", "+12025550177")
give_password()
early = client.post("/hijack/acquire/", {"user_pk": eve.pk}).status_code
result = [early, inside()]
give_code()
result.append(client.post("/hijack/acquire/", {"user_pk": eve.pk}).status_code)
result.append(inside())
client.post("/hijack/release/")
result += [inside(), len(fake.outbox)]
""",
    )
    assert outcome.result == [302, 302, 302, "eve None", "ada sms", 1]


# The page ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [row for row in ROWS if row.is_installed], ids=str)
def test_the_page_names_a_release_that_is_not_newer_than_the_one_of_these_tests(row: Row) -> None:
    """Fails when the page names a release that was not tested."""
    installed, named = version(row.distribution), row.tried
    assert tuple(map(int, named.split("."))) <= tuple(map(int, installed.split(".")[:3]))
