from benchmarks.sites.allauth_base import *  # noqa: F403
from benchmarks.sites.allauth_base import INSTALLED_APPS

ROOT_URLCONF = "benchmarks.sites.allauth_phone.urls"

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.sites.allauth_phone"]
ACCOUNT_ADAPTER = "benchmarks.sites.allauth_phone.adapter.Adapter"
ACCOUNT_LOGIN_METHODS = {"phone"}
ACCOUNT_SIGNUP_FIELDS = ["phone*"]
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
