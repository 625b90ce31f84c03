"""The kinds of doors: their check ids, their descriptions, and how to close them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of door: one way to sign in, of one package."""

    number: str
    """The number of its error, such as ``"E020"``.  Its meaning never changes."""
    opens: str
    """A description of the door.  A colon and the place follow it."""
    closing: str
    """Sentences that say how to close the door."""

    @property
    def id(self) -> str:
        """The id of its error, which silences all doors of this kind."""
        return f"bandwidth_mfa.{self.number}"


@dataclass(frozen=True)
class Door:
    """An open door: one place where the password alone is enough."""

    kind: Kind
    name: str
    """The dotted path of the view, or the name of the setting that opens the door."""
    place: str
    """The place in words: the address and the view."""

    @property
    def id(self) -> str:
        """The id that silences only this door: ``"bandwidth_mfa.E020:shop.api.Orders"``."""
        return f"{self.kind.id}:{self.name}"


_ISSUE_INSTEAD = (
    "Remove the view from the URLconf. Instead, issue the token to request.user, in a view that "
    "accepts only sessions."
)

REST_BASIC = Kind(
    "E020",
    "A client can sign in by HTTP Basic with the password alone",
    'Set REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] to '
    '["rest_framework.authentication.SessionAuthentication"], and remove BasicAuthentication from '
    "the authentication_classes of all views.",
)
REST_TOKEN = Kind(
    "E021",
    "REST framework issues a token for the password alone",
    'Replace the view by "django_bandwidth_mfa.contrib.rest_framework.views.obtain_auth_token", '
    "which also requires the code (docs/rest-framework.md).",
)
SIMPLEJWT = Kind(
    "E022",
    "simplejwt issues a JSON Web Token for the password alone",
    'Set SIMPLE_JWT["TOKEN_OBTAIN_SERIALIZER"] and ["TOKEN_REFRESH_SERIALIZER"] to those of '
    "django_bandwidth_mfa.contrib.simplejwt.serializers, which also require the code "
    "(docs/rest-framework.md).",
)
DJ_REST_AUTH = Kind(
    "E023",
    "dj-rest-auth issues a token for the password alone",
    'Set REST_AUTH["LOGIN_SERIALIZER"] to '
    '"django_bandwidth_mfa.contrib.dj_rest_auth.serializers.LoginSerializer", which also requires '
    'the code (docs/rest-framework.md). Or set REST_AUTH = {"TOKEN_MODEL": None, "USE_JWT": '
    "False}: then the login creates only a session, which waits for the code.",
)
ALLAUTH = Kind(
    "E024",
    "allauth issues an access token, which needs no session, for the password alone",
    "Make the login ask for the code, with ACCOUNT_ADAPTER and the other settings of "
    'docs/allauth.md. Or remove the client "app" from HEADLESS_CLIENTS.',
)
KNOX = Kind("E025", "knox issues a token for the password alone", _ISSUE_INSTEAD)
OAUTH2 = Kind(
    "E026",
    "The password grant of OAuth 2.0 issues an access token for the password alone",
    'Set OAUTH2_PROVIDER["OAUTH2_SERVER_CLASS"] to "oauthlib.oauth2.WebApplicationServer", which '
    "accepts only the authorization code grant.",
)
NINJA_BASIC = Kind(
    "E027",
    "A client can sign in by HTTP Basic of django-ninja with the password alone",
    "Use ninja.security.django_auth, which uses the session.",
)
NINJA_JWT = Kind("E028", "ninja-jwt issues a JSON Web Token for the password alone", _ISSUE_INSTEAD)
GRAPHQL_JWT = Kind(
    "E029",
    "A GraphQL mutation issues a JSON Web Token for the password alone",
    "Remove the mutation from the schema, and let the client use the session.",
)
