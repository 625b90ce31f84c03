"""The test site with other packages on it."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "django.contrib.sites",
    "django.contrib.flatpages",
    "hijack",
    "impersonate",
]
SITE_ID = 1
# Directly after ours stands what swaps the user; at the end what answers a 404 with a flatpage.
MIDDLEWARE = [
    *MIDDLEWARE,
    "hijack.middleware.HijackUserMiddleware",
    "impersonate.middleware.ImpersonateMiddleware",
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
]
LOGOUT_REDIRECT_URL = "/"
