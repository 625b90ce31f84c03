"""The method for django-two-factor-auth, whose login and setup pages then use our devices."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from two_factor.forms import AuthenticationTokenForm, DeviceValidationForm
from two_factor.plugins.registry import MethodBase

from ...conf import channels
from ...models import Channel
from .models import DEFAULT, BandwidthDevice

__all__ = ["BandwidthMethod"]


class LoginCodeForm(AuthenticationTokenForm):
    """The form of the login's code page.  The code may contain spaces and any number of digits."""

    otp_token = forms.CharField(label=_("Code"))
    otp_token.widget.attrs.update(autofocus="autofocus", autocomplete="one-time-code")


class SetupCodeForm(DeviceValidationForm):
    """The form of the setup's code page."""

    token = forms.CharField(label=_("Code"))
    token.widget.attrs.update(autofocus="autofocus", autocomplete="one-time-code")
    # A right code passes only once, so it must not be checked again with the last page.
    idempotent = False

    def __init__(self, device: BandwidthDevice, **kwargs: Any) -> None:
        super().__init__(device, **kwargs)
        # The setup page has no place of its own for this message.
        self.fields["token"].help_text = device.message_for_user or ""


class BandwidthMethod(MethodBase):
    """A code by Bandwidth, to a phone that the user has added on our page of phones."""

    # The setup page of django-two-factor-auth saves devices only for five codes; this is one.
    code = "sms"

    @property
    def verbose_name(self) -> str:
        return str(Channel(next(iter(channels()), Channel.SMS)).label)

    def get_devices(self, user: Any) -> Any:
        return BandwidthDevice.objects.devices_for_user(user, confirmed=True)

    def recognize_device(self, device: Any) -> bool:
        return isinstance(device, BandwidthDevice)

    def get_setup_forms(self, wizard: Any) -> dict[str, type[forms.Form]]:
        return {"validation": SetupCodeForm}

    def get_device_from_setup_data(
        self, request: HttpRequest, setup_data: Any, **kwargs: Any
    ) -> BandwidthDevice:
        """Return the device for the setup: the user's first device, or a new one."""
        mine = BandwidthDevice.objects.devices_for_user(request.user)
        return mine.order_by("pk").first() or BandwidthDevice(
            user=request.user, name=DEFAULT, confirmed=False
        )

    def get_token_form_class(self) -> type[forms.Form]:
        return LoginCodeForm

    def get_action(self, device: BandwidthDevice) -> str:
        by_call = device.phone is not None and device.phone.default_channel == Channel.VOICE
        return str(_("Call me with the code") if by_call else _("Text me the code"))

    def get_verbose_action(self, device: BandwidthDevice) -> str:
        return device.message_for_user or str(_("Enter the code we sent you."))
