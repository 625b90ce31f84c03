"""The test site with both monitoring packages."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "django_bandwidth_mfa.contrib.prometheus",
    "django_bandwidth_mfa.contrib.opentelemetry",
]
