from benchmarks.sites.allauth_base import *  # noqa: F403
from benchmarks.sites.allauth_base import INSTALLED_APPS

ROOT_URLCONF = "benchmarks.sites.allauth_totp.urls"

INSTALLED_APPS = [*INSTALLED_APPS, "allauth.mfa"]
ACCOUNT_LOGIN_METHODS = {"username"}
