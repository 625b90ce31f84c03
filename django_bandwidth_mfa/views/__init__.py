"""The pages that people see; each is thin, the process is in :mod:`~django_bandwidth_mfa.flows`."""

from .browsers import BrowsersView, SignOutOthersView
from .phones import (
    PhoneAddView,
    PhoneConfirmView,
    PhonePrimaryView,
    PhoneRemoveView,
    PhonesView,
    SuggestionView,
)
from .receipts import ReceiptsView
from .recovery import RecoveryCodesView, RecoveryCodeView
from .verify import CancelView, SendView, VerifyView

__all__ = [
    "BrowsersView",
    "CancelView",
    "PhoneAddView",
    "PhoneConfirmView",
    "PhonePrimaryView",
    "PhoneRemoveView",
    "PhonesView",
    "ReceiptsView",
    "RecoveryCodeView",
    "RecoveryCodesView",
    "SendView",
    "SignOutOthersView",
    "SuggestionView",
    "VerifyView",
]
