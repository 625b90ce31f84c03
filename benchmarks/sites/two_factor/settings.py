from benchmarks.sites.base import *  # noqa: F403
from benchmarks.sites.base import INSTALLED_APPS, MIDDLEWARE

ROOT_URLCONF = "benchmarks.sites.two_factor.urls"
LOGIN_URL = "two_factor:login"

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "two_factor",
    "two_factor.plugins.phonenumber",
]

AFTER = MIDDLEWARE.index("django.contrib.auth.middleware.AuthenticationMiddleware") + 1
MIDDLEWARE = [*MIDDLEWARE[:AFTER], "django_otp.middleware.OTPMiddleware", *MIDDLEWARE[AFTER:]]

TWO_FACTOR_SMS_GATEWAY = "benchmarks.sites.two_factor.gateway.Gateway"
