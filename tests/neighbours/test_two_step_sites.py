"""Sites that are set up as docs/rest-framework.md describes: login takes two steps, and the check
names no door."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.code_blocks import code

from .rest_doors import BY_BASIC, CASES, ME, by_token, takes, with_me
from .site import Outcome, visit

PAGE = "docs/rest-framework.md"
STOCK_TOKENS = takes("rest_framework.authentication.TokenAuthentication")
STOCK_JWT = takes("rest_framework_simplejwt.authentication.JWTAuthentication")
DJ_URLS = ME + 'urlpatterns += [path("api/", include("dj_rest_auth.urls"))]\n'

# A client sends the password, the code at the JSON API and the completion. It calls a view that
# needs a second factor. Then the owner signs out everywhere else.
BOTH_STEPS = """
from django_bandwidth_mfa import service
from django_bandwidth_mfa.testing import FakeBandwidth
from django.test import Client

def ask(address, headers=None, **body):
    return Client().post(address, body, "application/json", headers=headers)

def show(token):
    headers = {"authorization": f"SCHEME {token}"}
    return Client().get("/verified/", headers=headers).status_code

with FakeBandwidth() as bandwidth:
    first = ask(DOOR, username="ada", password=password)
    ticket = {"authorization": "MFA-Ticket " + first.json()["ticket"]}
    ask("/mfa/api/send", ticket)
    passed = ask("/mfa/api/verify", ticket, code=bandwidth.outbox[0]["code"]).json()
    second = ask(DOOR, completion=passed["completion"])
    token = second.json()[KEY]
    result = [first.status_code, second.status_code, show(token)]
    refresh = second.cookies["refresh"].value if "refresh" in second.cookies else None
    refresh = refresh or second.json().get("refresh") or second.json().get("refresh_token")
    if refresh:
        renewed = ask(REFRESH, refresh=refresh)
        result += [renewed.status_code, show(renewed.json()["access"])]
    service.end_sessions(ada)
    result.append(show(token))
    if refresh:
        result.append(ask(REFRESH, refresh=refresh).status_code)
"""

VERIFIED = """
from django_bandwidth_mfa.contrib.rest_framework.permissions import IsVerified

class Verified(Me):
    permission_classes = [IsVerified]

urlpatterns = [path("verified/", Verified.as_view()), *urlpatterns]
"""


@dataclass(frozen=True)
class Site:
    """A site with one door that requires two steps."""

    door: str
    key: str
    scheme: str
    settings: str
    urls: str
    apps: tuple[str, ...] = ("rest_framework",)
    refresh: str = "/api/token/refresh/"

    def run(self, program: str) -> Outcome:
        return visit(
            apps=self.apps, settings=self.settings, urls=self.urls + VERIFIED, program=program
        )


SITES = {
    "REST framework's tokens": Site(
        door="/api/token/",
        key="token",
        scheme="Token",
        settings=code("settings.py, REST framework's tokens in two steps", PAGE) + STOCK_TOKENS,
        urls=with_me(code("urls.py, REST framework's tokens in two steps", PAGE)),
    ),
    "simplejwt": Site(
        door="/api/token/",
        key="access",
        scheme="Bearer",
        settings=code("settings.py, simplejwt in two steps", PAGE) + STOCK_JWT,
        urls=with_me(code("urls.py, simplejwt in two steps", PAGE)),
    ),
    "simplejwt, as djoser includes it": Site(
        door="/api/jwt/create/",
        key="access",
        scheme="Bearer",
        apps=("rest_framework", "djoser"),
        settings=code("settings.py, simplejwt in two steps", PAGE) + STOCK_JWT,
        urls=ME
        + """
from rest_framework_simplejwt.views import TokenRefreshView
urlpatterns += [
    path("api/", include("djoser.urls.jwt")),
    path("api/token/refresh/", TokenRefreshView.as_view()),
]
""",
    ),
    "simplejwt with a serializer of the site": Site(
        door="/api/token/",
        key="access",
        scheme="Bearer",
        settings=code("settings.py, simplejwt in two steps", PAGE) + STOCK_JWT,
        urls=with_me(code("urls.py, simplejwt in two steps", PAGE))
        + """
from django_bandwidth_mfa.contrib.simplejwt.serializers import TokenObtainPairSerializer

class Serializer(TokenObtainPairSerializer):
    @classmethod
    def get_token(cls, user):
        token = super().get_token(user)
        token["name"] = user.get_username()
        return token

    def validate(self, attrs):
        return {**super().validate(attrs), "for": self.user.get_username()}

urlpatterns = [
    path("api/token/", TokenObtainPairView.as_view(serializer_class=Serializer)),
    *urlpatterns,
]
""",
    ),
    "dj-rest-auth": Site(
        door="/api/login/",
        key="key",
        scheme="Token",
        apps=("rest_framework", "dj_rest_auth"),
        settings=code("settings.py, REST framework's tokens in two steps", PAGE)
        + code("settings.py, dj-rest-auth in two steps", PAGE)
        + STOCK_TOKENS,
        urls=DJ_URLS,
    ),
    "dj-rest-auth with simplejwt": Site(
        door="/api/login/",
        key="access",
        scheme="Bearer",
        apps=("rest_framework", "dj_rest_auth"),
        settings=code("settings.py, dj-rest-auth with simplejwt in two steps", PAGE)
        + 'REST_AUTH["JWT_AUTH_HTTPONLY"] = False\n'
        + takes("dj_rest_auth.jwt_auth.JWTCookieAuthentication"),
        urls=with_me(code("urls.py, dj-rest-auth with simplejwt in two steps", PAGE)),
    ),
    "dj-rest-auth with simplejwt in cookies": Site(
        # dj-rest-auth accepts this address with and without a slash.
        refresh="/api/token/refresh",
        door="/api/login/",
        key="access",
        scheme="Bearer",
        apps=("rest_framework", "dj_rest_auth"),
        settings=code("settings.py, dj-rest-auth with simplejwt in two steps", PAGE)
        + 'REST_AUTH |= {"JWT_AUTH_COOKIE": "access", "JWT_AUTH_REFRESH_COOKIE": "refresh"}\n'
        + takes("django_bandwidth_mfa.contrib.dj_rest_auth.jwt_auth.JWTCookieAuthentication"),
        urls=with_me(code("urls.py, dj-rest-auth with simplejwt in two steps", PAGE)),
    ),
}


@pytest.mark.package(
    "djangorestframework", "djangorestframework-simplejwt", "dj-rest-auth", "djoser"
)
@pytest.mark.attack("P45", "P46")
@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_a_site_as_documented_takes_two_steps_and_names_no_door(site: Site) -> None:
    """Fails when the check does not know our serializers, and when a package moves the base classes
    of our classes. Fails with the package's own serializer for the refresh, which still works after
    the login has ended."""
    program = (
        BOTH_STEPS.replace("DOOR", repr(site.door))
        .replace("KEY", repr(site.key))
        .replace("SCHEME", site.scheme)
        .replace("REFRESH", repr(site.refresh))
    )
    outcome = site.run(program)
    if site.key == "access":
        assert outcome.result == [202, 200, 200, 200, 200, outcome.result[5], 401]
        assert outcome.result[5] in (401, 403)
    else:
        assert outcome.result == [202, 200, 200, 403]
    assert outcome.messages == []


@pytest.mark.package(
    "djangorestframework", "djangorestframework-simplejwt", "dj-rest-auth", "djoser"
)
@pytest.mark.attack("P45", "P9")
@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_the_password_alone_gets_nothing_at_a_site_as_documented(site: Site) -> None:
    """Fails with the package's own serializer."""
    assert site.run(by_token(site.door, site.scheme)).result is None


@pytest.mark.attack("P9")
@pytest.mark.parametrize(
    ("name", "urls", "expected"),
    [
        (
            "REST framework's tokens",
            "from rest_framework.authtoken.views import ObtainAuthToken\n"
            'urlpatterns += [path("old/", ObtainAuthToken.as_view())]\n',
            "E021",
        ),
        (
            "simplejwt",
            "from rest_framework_simplejwt.serializers import TokenObtainPairSerializer\n"
            "urlpatterns += [path("
            '"old/", TokenObtainPairView.as_view(serializer_class=TokenObtainPairSerializer))]\n',
            "E022",
        ),
        (
            "dj-rest-auth",
            "from dj_rest_auth.serializers import LoginSerializer\n"
            "from dj_rest_auth.views import LoginView\n"
            'urlpatterns += [path("old/", '
            "LoginView.as_view(serializer_class=LoginSerializer))]\n",
            "E023",
        ),
    ],
)
def test_a_door_beside_one_that_takes_two_steps_is_still_named(
    name: str, urls: str, expected: str
) -> None:
    """Fails when the check looks only at the installed apps, or only at the classes in the
    settings."""
    site = SITES[name]
    outcome = visit(
        apps=site.apps, settings=site.settings, urls=site.urls + VERIFIED + urls, program=""
    )
    assert outcome.ids() == [expected, "W004"]
    assert all("/old/" in message.text for message in outcome.messages)


@pytest.mark.attack("P47", "P9")
def test_http_basic_that_refuses_those_who_owe_a_code_is_no_door() -> None:
    """Fails when the check does not know ``CodeRequiredMixin``."""
    urls = CASES["Basic on a view"].urls.replace(
        "class OwnBasic(BasicAuthentication)",
        "from django_bandwidth_mfa.contrib.rest_framework.authentication import CodeRequiredMixin\n"
        "class OwnBasic(CodeRequiredMixin, BasicAuthentication)",
    )
    settings = code("settings.py, the answers", PAGE)
    outcome = visit(apps=("rest_framework",), settings=settings, urls=urls, program=BY_BASIC)
    assert outcome.result["code"] == "code_required"
    assert outcome.messages == []


@pytest.mark.attack("P47")
def test_the_classes_can_be_the_default_of_a_site() -> None:
    """Fails when one of their modules imports REST framework's views, which import the default
    classes."""
    program = """
from django.test import Client
from rest_framework.authtoken.models import Token
from rest_framework_simplejwt.tokens import AccessToken

tokens = [f"Token {Token.objects.create(user=ada).key}", f"Bearer {AccessToken.for_user(ada)}"]
answers = [Client().get("/me/", headers={"authorization": one}) for one in tokens]
result = [[one.status_code, one.json()["code"]] for one in answers]
"""
    settings = (
        code("settings.py, REST framework's tokens in two steps", PAGE)
        + code("settings.py, authentication", PAGE)
        + 'REST_FRAMEWORK["DEFAULT_PERMISSION_CLASSES"] = '
        '["django_bandwidth_mfa.contrib.rest_framework.permissions.IsVerified"]\n'
    )
    outcome = visit(apps=(), settings=settings, urls=ME, program=program)
    assert outcome.result == [[401, "code_required"], [401, "code_required"]]
    assert outcome.messages == []


@pytest.mark.attack("P46")
@pytest.mark.parametrize(
    ("name", "settings", "urls"),
    [
        ("simplejwt", 'SIMPLE_JWT.pop("TOKEN_REFRESH_SERIALIZER")\n', None),
        ("dj-rest-auth with simplejwt", "", DJ_URLS),
        (
            "dj-rest-auth with simplejwt",
            "",
            SITES["dj-rest-auth with simplejwt"].urls.replace("refresh/?$", "refresh/$"),
        ),
    ],
    ids=["simplejwt", "dj-rest-auth", "dj-rest-auth, without the slash"],
)
def test_a_refresh_that_outlives_the_login_is_named(
    name: str, settings: str, urls: str | None
) -> None:
    """Fails when the check does not report that the second of the two settings is missing."""
    site = SITES[name]
    outcome = visit(
        apps=site.apps,
        settings=site.settings.replace("REST_FRAMEWORK =", settings + "REST_FRAMEWORK ="),
        urls=(urls or site.urls) + VERIFIED,
        program="",
    )
    assert outcome.ids() == ["W016"]
    assert "/api/token/refresh" in outcome.messages[0].text


# A browser keeps its cookies, and sends them to each view.
WITH_A_COOKIE_THAT_ENDED = """
from django_bandwidth_mfa import service
from django_bandwidth_mfa.testing import FakeBandwidth
from django.test import Client

browser = Client()
with FakeBandwidth() as bandwidth:
    first = Client().post("/api/login/", {"username": "ada", "password": password}).json()
    ticket = {"authorization": "MFA-Ticket " + first["ticket"]}
    json = "application/json"
    Client().post("/mfa/api/send", {}, json, headers=ticket)
    body = {"code": bandwidth.outbox[0]["code"]}
    passed = Client().post("/mfa/api/verify", body, json, headers=ticket).json()
    browser.post("/api/login/", {"completion": passed["completion"]})
text = browser.cookies["access"].value
result = [browser.get("/verified/").status_code]
service.end_sessions(ada)
result.append(browser.get("/verified/").status_code)
headers = {"authorization": f"Bearer {text}"}
result.append(Client().get("/me/", headers=headers).json()["code"])
result.append(browser.post("/api/login/", {"username": "ada", "password": password}).status_code)
result.append(browser.post("/api/logout/").status_code)
"""


@pytest.mark.attack("P46")
def test_a_cookie_whose_login_has_ended_shuts_nobody_out() -> None:
    """Fails when such a cookie is refused like a header. A browser also sends the cookie to the
    login and logout views, and no script can delete it."""
    site = SITES["dj-rest-auth with simplejwt in cookies"]
    assert site.run(WITH_A_COOKIE_THAT_ENDED).result == [200, 401, "session_ended", 202, 200]


# The password goes to the JSON API, which does not check the rules of dj-rest-auth.
BY_THE_JSON_API = """
from allauth.account.models import EmailAddress
from django_bandwidth_mfa.signals import login_completed
from django_bandwidth_mfa.testing import FakeBandwidth
from django.test import Client

completed = []
login_completed.connect(lambda **kwargs: completed.append(kwargs["method"]), weak=False)

def ask(address, headers=None, **body):
    return Client().post(address, body, "application/json", headers=headers)

def sign_in():
    passed = ask("/mfa/api/login", username="ada", password=password).json()
    if passed.get("ticket"):
        ticket = {"authorization": "MFA-Ticket " + passed["ticket"]}
        ask("/mfa/api/send", ticket)
        code = bandwidth.outbox[0]["code"]
        passed = ask("/mfa/api/verify", ticket, code=code).json()
    answer = ask(DOOR, completion=passed["completion"])
    return [answer.status_code, "key" in answer.json() or "access" in answer.json()]

with FakeBandwidth() as bandwidth:
    result = [sign_in(), completed[:]]
    EmailAddress.objects.create(user=ada, email=ada.email, verified=True)
    result.append(sign_in())
"""


@pytest.mark.attack("P45")
@pytest.mark.parametrize("with_phone", [True, False], ids=["with a code", "without"])
def test_a_completion_passes_no_rule_of_dj_rest_auth_by(with_phone: bool) -> None:
    """Fails when a completion makes a token without the rules that dj-rest-auth checks after the
    password: the JSON API accepts the password without these rules."""
    site = SITES["dj-rest-auth"]
    program = BY_THE_JSON_API.replace("DOOR", repr(site.door))
    if not with_phone:
        program = "ada.bandwidth_mfa_phones.all().delete()\n" + program
    outcome = visit(
        apps=(
            *("dj_rest_auth", "allauth", "allauth.account"),
            *("allauth.socialaccount", "dj_rest_auth.registration", "django.contrib.sites"),
        ),
        settings=site.settings
        + 'ACCOUNT_EMAIL_VERIFICATION = "mandatory"\nACCOUNT_LOGIN_METHODS = {"username"}\n'
        + "SITE_ID = 1\n",
        urls=site.urls + VERIFIED,
        program=program,
    )
    assert outcome.result == [[400, False], [], [200, True]]
