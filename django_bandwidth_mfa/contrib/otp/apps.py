"""The app, for sites that use django-otp's decorators, admin site or login views."""

from django.apps import AppConfig, apps
from django.contrib.auth.signals import user_logged_in
from django.core import checks

from ...signals import phone_confirmed

__all__ = ["OTPConfig"]


class OTPConfig(AppConfig):
    name = "django_bandwidth_mfa.contrib.otp"
    label = "bandwidth_mfa_otp"
    verbose_name = "django-otp devices of Bandwidth"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from .checks import check_site
        from .logins import add_device, show_verification

        user_logged_in.connect(
            show_verification, dispatch_uid="bandwidth_mfa_otp.show_verification"
        )
        phone_confirmed.connect(add_device, dispatch_uid="bandwidth_mfa_otp.add_device")
        checks.register(check_site, checks.Tags.security)
        if apps.is_installed("two_factor"):
            from two_factor.plugins.registry import registry

            from .two_factor import BandwidthMethod

            registry.register(BandwidthMethod())
