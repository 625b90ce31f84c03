"""The settings of dj-rest-auth's tests, with this app set up as in docs/rest-framework.md."""

from __future__ import annotations

import os
from typing import Any

from tests import settings as base

globals().update({name: value for name, value in vars(base).items() if name.isupper()})

WITH = os.environ["DJ_REST_AUTH_WITH"]
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
CONTRIB = "django_bandwidth_mfa.contrib"

# The tests hash many passwords.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
INSTALLED_APPS = list(base.INSTALLED_APPS)
MIDDLEWARE = list(base.MIDDLEWARE)
REST_AUTH: dict[str, Any] = {}
REST_FRAMEWORK: dict[str, Any] = {}
token_class = "rest_framework.authentication.TokenAuthentication"
jwt_class = "dj_rest_auth.jwt_auth.JWTCookieAuthentication"

if WITH != "none":
    INSTALLED_APPS.append("django_bandwidth_mfa")
    MIDDLEWARE.insert(
        MIDDLEWARE.index(AUTHENTICATION) + 1,
        "django_bandwidth_mfa.middleware.BandwidthMFAMiddleware",
    )
    # Some tests count the mails.
    BANDWIDTH_MFA = {"REQUIRED": "all", "RESEND_COOLDOWN": [0], "NOTIFY": False}

if WITH == "contrib":
    INSTALLED_APPS.append(f"{CONTRIB}.rest_framework")
    REST_AUTH |= {
        "LOGIN_SERIALIZER": f"{CONTRIB}.dj_rest_auth.serializers.LoginSerializer",
        "TOKEN_CREATOR": f"{CONTRIB}.rest_framework.tokens.create_token",
        "JWT_TOKEN_CLAIMS_SERIALIZER": f"{CONTRIB}.simplejwt.serializers.TokenObtainPairSerializer",
    }
    REST_FRAMEWORK["EXCEPTION_HANDLER"] = f"{CONTRIB}.rest_framework.handlers.exception_handler"
    token_class = f"{CONTRIB}.rest_framework.authentication.TokenAuthentication"
    jwt_class = f"{CONTRIB}.dj_rest_auth.jwt_auth.JWTCookieAuthentication"

classes = ["rest_framework.authentication.SessionAuthentication", jwt_class]
if os.environ["DJ_REST_AUTH_LOGIN"] == "tokens":
    REST_AUTH["SESSION_LOGIN"] = False
    # The tests send their tokens in these headers. With the tests' own settings, nothing reads the
    # headers, and the session gives access.
    SIMPLE_JWT = {"AUTH_HEADER_TYPES": ["JWT", "Bearer"]}
    classes.insert(1, token_class)
REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] = classes
