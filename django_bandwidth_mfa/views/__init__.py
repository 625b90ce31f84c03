"""The pages that people see; each is thin, the process is in :mod:`~django_bandwidth_mfa.flows`."""

from .phones import PhoneAddView, PhoneConfirmView
from .verify import CancelView, SendView, VerifyView

__all__ = ["CancelView", "PhoneAddView", "PhoneConfirmView", "SendView", "VerifyView"]
