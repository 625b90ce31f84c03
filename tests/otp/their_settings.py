"""The site of django-otp's own tests, with this app installed."""

from test_project.settings import *  # noqa: F403
from test_project.settings import INSTALLED_APPS, MIDDLEWARE

from tests.settings import BANDWIDTH_MFA  # noqa: F401

INSTALLED_APPS = [
    "django_bandwidth_mfa.contrib.otp",
    "django_bandwidth_mfa",
    *INSTALLED_APPS,
]
MIDDLEWARE = [*MIDDLEWARE, "django_bandwidth_mfa.contrib.otp.middleware.IsVerifiedMiddleware"]
MIDDLEWARE.insert(
    MIDDLEWARE.index("django_otp.middleware.OTPMiddleware"),
    "django_bandwidth_mfa.middleware.BandwidthMFAMiddleware",
)
ROOT_URLCONF = "tests.otp.their_urls"
