from benchmarks.sites.base import *  # noqa: F403
from benchmarks.sites.base import INSTALLED_APPS, MIDDLEWARE, PROVIDER_URL, env
from django_bandwidth_mfa import conf

ROOT_URLCONF = "benchmarks.sites.ours.urls"

INSTALLED_APPS = [*INSTALLED_APPS, "django_bandwidth_mfa"]

AFTER = MIDDLEWARE.index("django.contrib.auth.middleware.AuthenticationMiddleware") + 1
MIDDLEWARE = [
    *MIDDLEWARE[:AFTER],
    "django_bandwidth_mfa.middleware.BandwidthMFAMiddleware",
    *MIDDLEWARE[AFTER:],
]

BANDWIDTH_MFA: dict[str, object] = {
    "ACCOUNT_ID": "5500001",
    "CLIENT_ID": "benchmark",
    "CLIENT_SECRET": "benchmark",
    "FROM_NUMBER": "+12025550100",
    "MESSAGING_APPLICATION_ID": "benchmark-messaging",
    "VOICE_APPLICATION_ID": "benchmark-voice",
    "BASE_URL": f"{PROVIDER_URL}/api/v1",
    "TOKEN_URL": f"{PROVIDER_URL}/api/v1/oauth2/token",
    # It is counted, and never reached: a benchmark signs in more people than a site does.
    "SEND_LIMITS": {"site": "100000000/h"},
}
if hasattr(conf.Settings, "SEND_CEILINGS"):
    BANDWIDTH_MFA["SEND_CEILINGS"] = {"site": "100000000/h"}
# A benchmark changes settings by variables, as a site does.
BANDWIDTH_MFA |= conf.from_env(env)
