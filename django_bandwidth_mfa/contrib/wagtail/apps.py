"""An app without models.  Wagtail finds ``wagtail_hooks`` in each app."""

from django.apps import AppConfig


class WagtailConfig(AppConfig):
    name = "django_bandwidth_mfa.contrib.wagtail"
    label = "bandwidth_mfa_wagtail"
