"""The test site with django-otp and django-two-factor-auth, as docs/django-otp.md sets it up."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_email",
    "formtools",
    "two_factor",
    # Before "django_bandwidth_mfa".
    "django_bandwidth_mfa.contrib.otp",
    *INSTALLED_APPS,
]
MIDDLEWARE = [
    *MIDDLEWARE,
    "django_otp.middleware.OTPMiddleware",
    "django_bandwidth_mfa.contrib.otp.middleware.IsVerifiedMiddleware",
]
ROOT_URLCONF = "tests.otp.urls"
LOGIN_URL = "/accounts/login/"
# The admin keeps its own login pages here.
TWO_FACTOR_PATCH_ADMIN = False
