from benchmarks.sites.base import *  # noqa: F403
from benchmarks.sites.base import INSTALLED_APPS, MIDDLEWARE

ROOT_URLCONF = "benchmarks.sites.django_otp.urls"
OTP_LOGIN_URL = "/login/"

INSTALLED_APPS = [*INSTALLED_APPS, "django_otp", "django_otp.plugins.otp_totp"]

AFTER = MIDDLEWARE.index("django.contrib.auth.middleware.AuthenticationMiddleware") + 1
MIDDLEWARE = [*MIDDLEWARE[:AFTER], "django_otp.middleware.OTPMiddleware", *MIDDLEWARE[AFTER:]]
