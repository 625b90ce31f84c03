"""The app, which has no models.  Wagtail loads ``wagtail_hooks`` of each app."""

from django.apps import AppConfig


class WagtailConfig(AppConfig):
    name = "django_bandwidth_mfa.contrib.wagtail"
    label = "bandwidth_mfa_wagtail"
