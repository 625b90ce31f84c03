"""The app, which continues allauth's login after a right code."""

from django.apps import AppConfig

from ...signals import login_completed

__all__ = ["AllauthConfig"]


class AllauthConfig(AppConfig):
    name = "django_bandwidth_mfa.contrib.allauth"
    label = "bandwidth_mfa_allauth"

    def ready(self) -> None:
        from .stages import finish_login

        login_completed.connect(finish_login, dispatch_uid="bandwidth_mfa_allauth.finish_login")
