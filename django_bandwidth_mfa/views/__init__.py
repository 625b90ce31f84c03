"""The views of the app's pages.  Their logic is in the flows (``internal/flows``)."""

from .browsers import BrowsersView, SignOutOthersView
from .delivery import DeliveryView
from .enrolment import PhoneAddView, PhoneConfirmView
from .phones import PhoneChannelView, PhonePrimaryView, PhoneRemoveView, PhonesView
from .receipts import ReceiptsView
from .recovery import RecoveryCodesSavedView, RecoveryCodesView, RecoveryCodeView
from .suggestion import SuggestionView
from .verify import CancelView, SendView, VerifyView

__all__ = [
    "BrowsersView",
    "CancelView",
    "DeliveryView",
    "PhoneAddView",
    "PhoneChannelView",
    "PhoneConfirmView",
    "PhonePrimaryView",
    "PhoneRemoveView",
    "PhonesView",
    "ReceiptsView",
    "RecoveryCodeView",
    "RecoveryCodesSavedView",
    "RecoveryCodesView",
    "SendView",
    "SignOutOthersView",
    "SuggestionView",
    "VerifyView",
]
