"""The pages that people see; each is thin, the process is in :mod:`~django_bandwidth_mfa.flows`."""

from .phones import PhoneAddView, PhoneConfirmView
from .receipts import ReceiptsView
from .recovery import RecoveryCodesView, RecoveryCodeView
from .verify import CancelView, SendView, VerifyView

__all__ = [
    "CancelView",
    "PhoneAddView",
    "PhoneConfirmView",
    "ReceiptsView",
    "RecoveryCodeView",
    "RecoveryCodesView",
    "SendView",
    "VerifyView",
]
