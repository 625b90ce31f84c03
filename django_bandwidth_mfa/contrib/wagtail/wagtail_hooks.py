"""The hooks for Wagtail."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from wagtail import hooks


@hooks.register("register_account_menu_item")
def link_to_second_factor(request: HttpRequest) -> dict[str, str]:
    """Return the link for the account page."""
    return {
        "url": reverse("bandwidth_mfa:phones"),
        "label": _("Your phones"),
        # Translators: Below the link "Your phones". It says what is on that page.
        "help_text": _("Change your phones, recovery codes and trusted browsers."),
    }
