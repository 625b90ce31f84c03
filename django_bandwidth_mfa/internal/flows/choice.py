"""Which flow a code page, or the API, goes on with."""

from __future__ import annotations

from django.http import HttpRequest

from ...request import mfa_of
from ...types import User
from .base import Flow
from .login import LoginFlow
from .step_up import StepUpFlow


def code_flow(request: HttpRequest, user: User) -> Flow:
    """Return the flow of a login while the session is parked, and else that of a step-up.

    :param user: the user of the session.
    """
    state = mfa_of(request).state
    return (LoginFlow if state == "parked" else StepUpFlow)(request, user)
