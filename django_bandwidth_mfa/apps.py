from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core import checks
from django.utils.translation import gettext_lazy as _

__all__ = ["BandwidthMFAConfig"]


class BandwidthMFAConfig(AppConfig):
    """The app.  Its tables, permissions and URL names begin with its label ``bandwidth_mfa``."""

    name = "django_bandwidth_mfa"
    label = "bandwidth_mfa"
    verbose_name = _("Two-factor login by phone")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the receivers of Django's login signals, and register the system checks."""
        from .checks import check_deployment, check_settings, check_site
        from .internal.login import last_login
        from .internal.login.ended_keys import note_logout
        from .internal.login.first_factor import settle_login
        from .internal.notify import mail

        last_login.take_over()
        user_logged_in.connect(settle_login, dispatch_uid="bandwidth_mfa.settle_login")
        user_logged_out.connect(note_logout, dispatch_uid="bandwidth_mfa.note_logout")
        mail.connect()
        checks.register(check_settings, checks.Tags.security)
        checks.register(check_site, checks.Tags.security)
        checks.register(check_deployment, checks.Tags.security, deploy=True)
