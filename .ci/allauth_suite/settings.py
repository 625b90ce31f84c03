"""The settings of one of allauth's test projects, with this app as in docs/allauth.md."""

from __future__ import annotations

import os
from importlib import import_module

PROJECT = os.environ["ALLAUTH_PROJECT"]

base = import_module(f"tests.projects.{PROJECT}.settings")
globals().update({name: value for name, value in vars(base).items() if name.isupper()})

AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
MIDDLEWARE = list(base.MIDDLEWARE)
MIDDLEWARE.insert(
    MIDDLEWARE.index(AUTHENTICATION) + 1,
    "django_bandwidth_mfa.middleware.BandwidthMFAMiddleware",
)
INSTALLED_APPS = [*base.INSTALLED_APPS, "django_bandwidth_mfa"]
ROOT_URLCONF = "allauth_suite.urls"
# Some tests count the mails.
BANDWIDTH_MFA = {"REQUIRED": "all", "RESEND_COOLDOWN": [0], "NOTIFY": False}

if os.environ["ALLAUTH_WITH"] == "contrib":
    INSTALLED_APPS.append("django_bandwidth_mfa.contrib.allauth")
    ACCOUNT_ADAPTER = "allauth_suite.adapters.AccountAdapter"
    HEADLESS_TOKEN_STRATEGY = "django_bandwidth_mfa.contrib.allauth.strategies.SessionTokenStrategy"
