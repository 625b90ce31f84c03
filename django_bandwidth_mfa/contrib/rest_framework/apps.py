"""The app, for sites that use REST framework's own tokens."""

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_delete

__all__ = ["RestFrameworkConfig"]


class RestFrameworkConfig(AppConfig):
    name = "django_bandwidth_mfa.contrib.rest_framework"
    label = "bandwidth_mfa_rest_framework"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        if apps.is_installed("rest_framework.authtoken"):
            from rest_framework.authtoken.models import Token

            post_delete.connect(
                forget_token,
                sender=Token,
                dispatch_uid="bandwidth_mfa_rest_framework.forget_token",
            )


def forget_token(instance: Any, **kwargs: object) -> None:
    """Delete the stored login of a token that was deleted."""
    from .models import TokenLogin

    # The token may be the admin's proxy, which has no key after the deletion.
    if instance.key:
        TokenLogin.objects.of_key(instance.key).delete()
