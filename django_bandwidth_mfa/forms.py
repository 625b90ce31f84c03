from __future__ import annotations

from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from .conf import channels
from .exceptions import NumberRefused
from .internal import numbers
from .internal.codes import recovery_codes, tries
from .models import Channel, Phone

__all__ = ["CodeForm", "PhoneForm", "PhoneNameForm", "RecoveryCodeForm"]


class CodeInput(forms.TextInput):
    """A text field that is always rendered empty.

    A wrong code is not corrected but typed again, and no page should contain a code.
    """

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


class CodeForm(forms.Form):
    """The form for a code by phone.  The user can also paste the whole text message.

    The field has neither ``maxlength`` nor ``pattern``, so browsers accept a whole message.

    :param digits: the number of digits of the code that was sent.
    """

    code = forms.CharField(
        label=_("Code"),
        widget=CodeInput(
            attrs={
                "inputmode": "numeric",
                "autocomplete": "one-time-code",
                "autocapitalize": "off",
                "spellcheck": "false",
                "autofocus": True,
            }
        ),
        error_messages={"required": _("Enter the code we sent you.")},
    )

    def __init__(self, *args: Any, digits: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.digits = digits

    @sensitive_variables("codes")
    def clean_code(self) -> str:
        codes = tries.read_codes(self.cleaned_data["code"], self.digits)
        if not codes:
            raise forms.ValidationError(
                ngettext(
                    "Enter the %(digits)d digit of the code, like %(example)s.",
                    "Enter the %(digits)d digits of the code, like %(example)s.",
                    self.digits,
                )
                % {"digits": self.digits, "example": "12345678"[: self.digits]}
            )
        if len(codes) > 1:
            raise forms.ValidationError(
                _("There are several numbers here that could be the code. Enter only the code.")
            )
        return codes[0]


class RecoveryCodeForm(forms.Form):
    """The form for a recovery code."""

    recovery_code = forms.CharField(
        label=_("Recovery code"),
        max_length=200,
        widget=CodeInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "autofocus": True,
            }
        ),
        error_messages={"required": _("Enter one of your recovery codes.")},
    )

    @sensitive_variables("code")
    def clean_recovery_code(self) -> str:
        code = recovery_codes.read(self.cleaned_data["recovery_code"])
        if not code:
            raise forms.ValidationError(
                _(
                    "A recovery code has 12 letters and digits, like %(example)s. "
                    "Older ones have 24."
                )
                % {"example": recovery_codes.EXAMPLE}
            )
        return code


class PhoneNameForm(forms.Form):
    """The form for the name that the owner gives to a phone; the name may be empty."""

    name = forms.CharField(
        max_length=40, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, phone: Phone, data: Any = None) -> None:
        # One page contains several of these forms, and ids must be unique.
        super().__init__(data, initial={"name": phone.name}, auto_id=f"id_{phone.choice}_%s")

    def clean_name(self) -> str:
        # A name is shown in mails and in the admin, where full numbers must not appear.
        name: str = self.cleaned_data["name"]
        if sum(c.isdigit() for c in name) > 6:
            raise forms.ValidationError(_("Please do not put the number into the name."))
        return name


class PhoneForm(forms.Form):
    """The form to add a phone: its number, and the channel for its first code."""

    number = forms.CharField(
        label=_("Phone number"),
        # A browser cuts a longer text off silently, and what is left could be another valid number.
        max_length=200,
        widget=forms.TextInput(
            attrs={"type": "tel", "inputmode": "tel", "autocomplete": "tel", "autofocus": True}
        ),
        error_messages={"required": _("Enter your phone number.")},
    )
    channel = forms.ChoiceField(
        label=_("How should we send the code?"), widget=forms.RadioSelect, required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = channels()
        if len(offered) < 2:
            del self.fields["channel"]
        else:
            field = self.fields["channel"]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101  for the type checker
            field.choices = [
                (channel, capfirst(label))
                for channel, label in Channel.choices
                if channel in offered
            ]
            field.initial = offered[0]

    def clean_number(self) -> str:
        try:
            return numbers.parse(self.cleaned_data["number"])
        except NumberRefused as error:
            raise forms.ValidationError(str(error)) from error
