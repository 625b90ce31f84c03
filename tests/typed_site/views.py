"""Views of a site with typed code. They never run: mypy checks them as a part of the gate."""

from __future__ import annotations

from datetime import datetime
from typing import assert_type

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse

from django_bandwidth_mfa import service
from django_bandwidth_mfa.decorators import mfa_required
from django_bandwidth_mfa.mixins import MFARequiredMixin
from django_bandwidth_mfa.models import Challenge
from django_bandwidth_mfa.request import MFAHttpRequest, State
from django_bandwidth_mfa.verification import Verification


def account(request: MFAHttpRequest) -> HttpResponse:
    assert_type(request.mfa.state, State)
    assert_type(request.mfa.verified_at, datetime | None)
    assert_type(request.mfa.is_verified(max_age=60), bool)
    # An unused "ignore" is an error, so this line checks that mypy finds the mistake.
    mistake = request.mfa.statte  # type: ignore[attr-defined]
    return HttpResponse(mistake)


@mfa_required(max_age=60)
def transfer(request: MFAHttpRequest) -> HttpResponse:
    return HttpResponse()


class TransferView(MFARequiredMixin):
    mfa_max_age = 60


def sign_in(request: HttpRequest, user: User, code: str) -> bool:
    challenge = service.send_code(user, purpose="step-up", request=request)
    assert_type(challenge, Challenge)
    verification = service.verify_code(challenge, code, request=request)
    assert_type(verification, Verification)
    assert_type(verification.passed, bool)
    return verification.passed


def forget(request: HttpRequest, user: User) -> list[str]:
    service.end_sessions(user, keep=request)
    service.require_new_code(user)
    return service.issue_recovery_codes(user)
