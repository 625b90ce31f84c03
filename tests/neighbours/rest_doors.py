"""Doors for APIs that accept the password alone: a site with each door, and the code that closes
it.

The attacker knows the password of ada, who needs a code. If the attack succeeds, it sets ``result``
to her name, as a view of the site sees it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.code_blocks import code

from .site import Outcome, visit

SESSIONS_BY_DEFAULT = code("settings.py, REST framework")
REST = ("rest_framework",)

# A view that returns the user's name, with the authentication class of the door.
ME = """
from django.urls import include, path
from rest_framework.response import Response
from rest_framework.views import APIView

class Me(APIView):
    def get(self, request):
        return Response(str(request.user))

urlpatterns = [path("me/", Me.as_view())]
"""

BY_BASIC = """
from base64 import b64encode
basic = "Basic " + b64encode(f"ada:{password}".encode()).decode()
result = client.get("/me/", headers={"authorization": basic}).json()
"""

# Posts the password to the door, takes the token out of the answer, and shows it to the view.
BY_TOKEN = """
answer = client.post(DOOR, {"username": "ada", "password": password})
body = answer.json() if answer.get("Content-Type") == "application/json" else {}
token = body.get("access") or body.get("token") or body.get("key") or body.get("auth_token")
shown = client.get("/me/", headers={"authorization": f"SCHEME {token}"})
result = shown.json() if shown.status_code == 200 else None
"""


def by_token(door: str, scheme: str) -> str:
    return BY_TOKEN.replace("DOOR", repr(door)).replace("SCHEME", scheme)


def takes(authentication: str) -> str:
    """Return settings under which the view ``Me`` accepts this class of tokens."""
    return f'REST_FRAMEWORK = {{"DEFAULT_AUTHENTICATION_CLASSES": ["{authentication}"]}}\n'


@dataclass(frozen=True)
class Case:
    """A site with one door, an attack on it, and the code that closes it."""

    id: str
    door: str
    """The view or the setting that the message names."""
    apps: tuple[str, ...]
    urls: str
    program: str
    settings: str = ""
    closed_settings: str | None = None
    closed_urls: str | None = None
    address: str = ""

    def run(self, *more_settings: str) -> Outcome:
        settings = "\n".join((self.settings, *more_settings))
        return visit(apps=self.apps, settings=settings, urls=self.urls, program=self.program)

    def closed(self) -> Case:
        return replace(
            self,
            settings=self.settings + "\n" + (self.closed_settings or ""),
            urls=self.urls if self.closed_urls is None else self.closed_urls,
        )


TOKENS = takes("rest_framework.authentication.TokenAuthentication")
JWT = takes("rest_framework_simplejwt.authentication.JWTAuthentication")
AUTHTOKEN = (*REST, "rest_framework.authtoken")
DJ_REST_AUTH = ME + 'urlpatterns += [path("api/", include("dj_rest_auth.urls"))]\n'


ALLAUTH_IN_TWO_STEPS = code("settings.py, allauth headless", "docs/allauth.md")


def with_me(urls: str) -> str:
    """Return a documented URLconf, with the view that returns the user's name."""
    return urls + ME.replace("urlpatterns = [", "urlpatterns = [*urlpatterns, ")


BASIC = Case(
    id="E020",
    door="DEFAULT_AUTHENTICATION_CLASSES",
    address="/me/ (site_urls.Me)",
    apps=REST,
    urls=ME,
    program=BY_BASIC,
    closed_settings=SESSIONS_BY_DEFAULT,
)

CASES = {
    "Basic by REST framework's default": BASIC,
    "Basic on a view": replace(
        BASIC,
        door="site_urls.Me",
        settings=SESSIONS_BY_DEFAULT,
        urls=ME.replace(
            "class Me(APIView):",
            "from rest_framework.authentication import BasicAuthentication\n"
            "class OwnBasic(BasicAuthentication): pass\n"
            "class Parent(APIView):\n    authentication_classes = [OwnBasic]\n"
            "class Me(Parent):",
        ),
        closed_settings="",
        closed_urls=ME,
    ),
    "Basic given to as_view()": replace(
        BASIC,
        door="site_urls.Me",
        settings=SESSIONS_BY_DEFAULT,
        urls="from rest_framework.authentication import BasicAuthentication\n"
        + ME.replace("as_view()", "as_view(authentication_classes=[BasicAuthentication])"),
        closed_settings="",
        closed_urls=ME,
    ),
    "Basic on a function, behind a decorator that hides it": replace(
        BASIC,
        door="site_urls.me",
        address="/me/ (site_urls.me)",
        settings=SESSIONS_BY_DEFAULT,
        urls="""
from django.urls import path
from rest_framework.authentication import BasicAuthentication
from rest_framework.decorators import api_view, authentication_classes
from rest_framework.response import Response

def hiding(view):
    return lambda request: view(request)

@hiding
@api_view(["GET"])
@authentication_classes([BasicAuthentication])
def me(request):
    return Response(str(request.user))

urlpatterns = [path("me/", me)]
""",
        closed_settings="",
        closed_urls=ME,
    ),
    "Basic on one action of a view set": replace(
        BASIC,
        door="site_urls.People",
        address="/me/ (site_urls.People)",
        settings=SESSIONS_BY_DEFAULT,
        urls="""
from rest_framework.authentication import BasicAuthentication
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.viewsets import ViewSet

class People(ViewSet):
    @action(detail=False, authentication_classes=[BasicAuthentication])
    def me(self, request):
        return Response(str(request.user))

router = SimpleRouter()
router.register("", People, "people")
urlpatterns = router.urls
""",
        closed_settings="",
        closed_urls=ME,
    ),
    "REST framework's tokens": Case(
        id="E021",
        door="rest_framework.authtoken.views.ObtainAuthToken",
        address="/api/token/",
        apps=AUTHTOKEN,
        settings=TOKENS,
        urls=ME
        + "from rest_framework.authtoken.views import obtain_auth_token\n"
        + 'urlpatterns += [path("api/token/", obtain_auth_token)]\n',
        program=by_token("/api/token/", "Token"),
        closed_urls=with_me(code("urls.py, REST framework's tokens")),
    ),
    "djoser": Case(
        id="E021",
        door="djoser.views.TokenCreateView",
        address="/api/token/login/?",
        apps=(*AUTHTOKEN, "djoser"),
        settings=TOKENS,
        urls=ME + 'urlpatterns += [path("api/", include("djoser.urls.authtoken"))]\n',
        program=by_token("/api/token/login/", "Token"),
        closed_urls=with_me(code("urls.py, REST framework's tokens")),
    ),
    "djoser with simplejwt": Case(
        id="E022",
        door="rest_framework_simplejwt.views.TokenObtainPairView",
        address="/api/jwt/create/?",
        apps=(*REST, "djoser"),
        settings=JWT,
        urls=ME + 'urlpatterns += [path("api/", include("djoser.urls.jwt"))]\n',
        program=by_token("/api/jwt/create/", "Bearer"),
        closed_urls=with_me(code("urls.py, simplejwt")),
    ),
    # The package's quick start does this.  The app need not be in INSTALLED_APPS.
    "simplejwt": Case(
        id="E022",
        door="rest_framework_simplejwt.views.TokenObtainPairView",
        address="/api/token/",
        apps=REST,
        settings=JWT,
        urls=ME
        + """
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

urlpatterns += [
    path("api/token/", TokenObtainPairView.as_view()),
    path("api/token/refresh/", TokenRefreshView.as_view()),
]
""",
        program=by_token("/api/token/", "Bearer"),
        closed_urls=with_me(code("urls.py, simplejwt")),
    ),
    "simplejwt with a serializer of the site, behind mfa_required": Case(
        id="E022",
        door="site_urls.Tokens",
        address="/api/token/",
        apps=REST,
        settings=JWT + 'BANDWIDTH_MFA = {**BANDWIDTH_MFA, "REQUIRED": "never"}\n',
        urls=ME
        + """
from django_bandwidth_mfa.decorators import mfa_required
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer
from rest_framework_simplejwt.views import TokenViewBase

class Serializer(TokenObtainPairSerializer): pass

class Tokens(TokenViewBase):
    serializer_class = Serializer

urlpatterns += [path("api/token/", mfa_required(Tokens.as_view()))]
""",
        # A visitor who is signed in to another account sends the password of ada.
        program="""
from tests.conftest import make_user
from django_bandwidth_mfa.testing import login_verified
login_verified(client, make_user("eve", "+12025550177"))
"""
        + by_token("/api/token/", "Bearer"),
        closed_urls=with_me(code("urls.py, simplejwt")),
    ),
    "simplejwt with a serializer that takes a password by itself": Case(
        id="E022",
        door="site_urls.Tokens",
        address="/api/token/",
        apps=REST,
        settings=JWT,
        urls=ME
        + """
from django.contrib.auth import authenticate
from rest_framework import serializers
from rest_framework_simplejwt.tokens import AccessToken
from rest_framework_simplejwt.views import TokenViewBase

class Serializer(serializers.Serializer):
    username = serializers.CharField()
    password = serializers.CharField()

    def validate(self, credentials):
        return {"access": str(AccessToken.for_user(authenticate(**credentials)))}

class Tokens(TokenViewBase):
    serializer_class = Serializer

urlpatterns += [path("api/token/", Tokens.as_view())]
""",
        program=by_token("/api/token/", "Bearer"),
        closed_urls=with_me(code("urls.py, simplejwt")),
    ),
    "dj-rest-auth with a token": Case(
        id="E023",
        door="dj_rest_auth.views.LoginView",
        address="/api/login/",
        apps=(*AUTHTOKEN, "dj_rest_auth"),
        settings=TOKENS,
        urls=DJ_REST_AUTH,
        program=by_token("/api/login/", "Token"),
        closed_settings=code("settings.py, dj-rest-auth"),
    ),
    "dj-rest-auth with USE_JWT": Case(
        id="E023",
        door="dj_rest_auth.views.LoginView",
        address="/api/login/",
        apps=(*AUTHTOKEN, "dj_rest_auth"),
        settings=takes("dj_rest_auth.jwt_auth.JWTCookieAuthentication")
        + 'REST_AUTH = {"USE_JWT": True, "TOKEN_MODEL": None}\n',
        urls=DJ_REST_AUTH,
        program=by_token("/api/login/", "Bearer"),
        closed_settings=code("settings.py, dj-rest-auth"),
    ),
    "knox as its manual says": Case(
        id="E025",
        door="site_urls.Login",
        address="/api/token/",
        apps=(*REST, "knox"),
        settings=takes("knox.auth.TokenAuthentication"),
        urls=ME
        + """
from django.contrib.auth import login
from knox.views import LoginView
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.permissions import AllowAny

class Login(LoginView):
    permission_classes = [AllowAny]

    def post(self, request, format=None):
        serializer = AuthTokenSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        login(request, serializer.validated_data["user"])
        return super().post(request, format=None)

urlpatterns += [path("api/token/", Login.as_view())]
""",
        program=by_token("/api/token/", "Token"),
        closed_urls=with_me(code("urls.py, knox")),
    ),
    "knox with HTTP Basic": Case(
        id="E020",
        door="site_urls.Login",
        address="/api/token/",
        apps=(*REST, "knox"),
        settings=takes("knox.auth.TokenAuthentication"),
        urls=ME
        + """
from knox.views import LoginView
from rest_framework.authentication import BasicAuthentication

class Login(LoginView):
    authentication_classes = [BasicAuthentication]

urlpatterns += [path("api/token/", Login.as_view())]
""",
        program="""
from base64 import b64encode
basic = "Basic " + b64encode(f"ada:{password}".encode()).decode()
answer = client.post("/api/token/", headers={"authorization": basic})
token = answer.json()["token"] if answer.status_code == 200 else None
shown = client.get("/me/", headers={"authorization": f"Token {token}"})
result = shown.json() if shown.status_code == 200 else None
""",
        closed_urls=with_me(code("urls.py, knox")),
    ),
    "allauth's access tokens": Case(
        id="E024",
        door="allauth.headless.account.views.LoginView",
        address="/_allauth/app/v1/auth/login",
        apps=(*REST, "allauth", "allauth.account", "allauth.headless"),
        settings=takes(
            "allauth.headless.contrib.rest_framework.authentication.JWTTokenAuthentication"
        )
        + "HEADLESS_TOKEN_STRATEGY = "
        '"allauth.headless.tokens.strategies.jwt.JWTTokenStrategy"\n'
        'HEADLESS_JWT_ALGORITHM = "HS256"\nHEADLESS_ONLY = True\n',
        urls=ME + 'urlpatterns += [path("_allauth/", include("allauth.headless.urls"))]\n',
        program="""
answer = client.post(
    "/_allauth/app/v1/auth/login",
    {"username": "ada", "password": password},
    content_type="application/json",
).json()
token = answer["meta"].get("access_token")
shown = client.get("/me/", headers={"authorization": f"Bearer {token}"})
result = shown.json() if shown.status_code == 200 else None
""",
        closed_settings=ALLAUTH_IN_TWO_STEPS.replace("SessionToken", "JWTToken"),
    ),
    "the password grant of OAuth 2.0": Case(
        id="E026",
        door="oauth2_provider.views.base.TokenView",
        address="/o/token/",
        apps=(*REST, "oauth2_provider"),
        settings=takes("oauth2_provider.contrib.rest_framework.OAuth2Authentication"),
        urls=ME + 'urlpatterns += [path("o/", include("oauth2_provider.urls"))]\n',
        program="""
from oauth2_provider.models import Application
from base64 import b64encode
Application.objects.create(
    client_id="phone", client_type="public", authorization_grant_type="password", name="phone"
)
asked = {"grant_type": "password", "username": "ada", "password": password, "client_id": "phone"}
token = client.post("/o/token/", asked).json().get("access_token")
shown = client.get("/me/", headers={"authorization": f"Bearer {token}"})
result = shown.json() if shown.status_code == 200 else None
""",
        closed_settings=code("settings.py, django-oauth-toolkit"),
    ),
    "Basic of django-ninja": Case(
        id="E027",
        door="site_urls.me",
        address="/api/me",
        apps=("ninja",),
        urls="""
from django.contrib.auth import authenticate
from django.urls import path
from ninja import NinjaAPI
from ninja.security import HttpBasicAuth

class Basic(HttpBasicAuth):
    def authenticate(self, request, username, password):
        return authenticate(request, username=username, password=password)

api = NinjaAPI(auth=Basic())

@api.get("/me")
def me(request):
    return str(request.auth)

urlpatterns = [path("api/", api.urls)]
""",
        program=BY_BASIC.replace("/me/", "/api/me"),
        closed_urls=code("urls.py, django-ninja"),
    ),
    "ninja-jwt": Case(
        id="E028",
        door="ninja_jwt.routers.obtain.obtain_token",
        address="/api/token/pair",
        apps=("ninja_extra", "ninja_jwt"),
        urls="""
from django.urls import path
from ninja import NinjaAPI
from ninja_jwt.authentication import JWTAuth
from ninja_jwt.routers.obtain import obtain_pair_router

api = NinjaAPI(auth=JWTAuth())
api.add_router("/token", tags=["token"], router=obtain_pair_router)

@api.get("/me")
def me(request):
    return str(request.auth)

urlpatterns = [path("api/", api.urls)]
""",
        program="""
asked = {"username": "ada", "password": password}
answer = client.post("/api/token/pair", asked, content_type="application/json")
token = answer.json().get("access") if answer.status_code == 200 else None
shown = client.get("/api/me", headers={"authorization": f"Bearer {token}"})
result = shown.json() if shown.status_code == 200 else None
""",
        closed_urls=code("urls.py, ninja-jwt"),
    ),
    "django-graphql-jwt": Case(
        id="E029",
        door="graphene_django.views.GraphQLView",
        address="/graphql",
        apps=("graphene_django",),
        settings="""
AUTHENTICATION_BACKENDS = [
    "graphql_jwt.backends.JSONWebTokenBackend", "django.contrib.auth.backends.ModelBackend"
]
GRAPHENE = {"MIDDLEWARE": ["graphql_jwt.middleware.JSONWebTokenMiddleware"]}
""",
        urls=(
            graphql := """
import graphene
import graphql_jwt
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from graphene_django.views import GraphQLView

class Query(graphene.ObjectType):
    me = graphene.String()

    def resolve_me(self, info):
        return str(info.context.user)

class Mutation(graphene.ObjectType):
    token_auth = graphql_jwt.ObtainJSONWebToken.Field()
    refresh_token = graphql_jwt.Refresh.Field()

schema = graphene.Schema(query=Query, mutation=Mutation)
urlpatterns = [path("graphql", csrf_exempt(GraphQLView.as_view(schema=schema)))]
"""
        ),
        program="""
def ask(query, **headers):
    return client.post("/graphql", {"query": query}, "application/json", headers=headers).json()

asked = f'mutation {{ tokenAuth(username: "ada", password: "{password}") {{ token }} }}'
token = ((ask(asked).get("data") or {}).get("tokenAuth") or {}).get("token")
result = ask("{ me }", **({"authorization": f"JWT {token}"} if token else {}))["data"]["me"]
""",
        closed_urls=graphql.replace(
            "    token_auth = graphql_jwt.ObtainJSONWebToken.Field()\n", ""
        ),
    ),
}
