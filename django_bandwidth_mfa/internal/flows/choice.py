"""The choice of the flow for a code page or the API."""

from __future__ import annotations

from django.http import HttpRequest

from ...request import mfa_of
from ...types import User
from .base import Flow
from .login import LoginFlow
from .step_up import StepUpFlow


def code_flow(request: HttpRequest, user: User) -> Flow:
    """Return a login flow if the session is parked; otherwise a step-up flow.

    :param user: the user of the session.
    """
    state = mfa_of(request).state
    return (LoginFlow if state == "parked" else StepUpFlow)(request, user)
