"""Verify a code: from the typed text to the verification."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpRequest
from django.utils import timezone

from ...models import Challenge
from ...verification import Verification
from ..notify import events
from . import provider, spending, tries
from .steps import Steps, masked


def verify_steps(
    challenge: Challenge, code: str, *, request: HttpRequest | None
) -> Steps[Verification]:
    """Return :func:`.service.verify_code` as steps."""
    return _Verifying(challenge, code, request).steps()


class _Verifying:
    """The verification of one typed text for one challenge."""

    def __init__(self, challenge: Challenge, typed: str, request: HttpRequest | None) -> None:
        self._challenge = challenge
        self._code = typed
        self._request = request

    def steps(self) -> Steps[Verification]:
        challenge, request = self._challenge, self._request
        taken = masked(self._read_and_count)
        if taken is None:
            return self._failed
        is_right = yield from tries.ask_bandwidth(challenge, self._call, taken, request)
        return masked(self._conclude, is_right)

    @property
    def _failed(self) -> Verification:
        return Verification(self._challenge.user, self._challenge.channel, self._challenge)

    def _read_and_count(self) -> tries.Try | None:
        """Read the code, and count the try; return None if there is no code or more than one."""
        codes = tries.read_codes(self._code, self._challenge.digits)
        if len(codes) != 1:
            return None
        [self._code] = codes
        return tries.count(self._challenge, self._request)

    def _call(self) -> bool:
        return provider.verify(self._challenge, self._code)

    def _conclude(self, is_right: bool) -> Verification:
        challenge, request, now = self._challenge, self._request, timezone.now()
        # Only the value True: a manipulated or broken answer must never log anybody in.
        if is_right is True and spending.spend(challenge, self._code, now, request):
            events.code_verified(challenge, request)
            return replace(self._failed, verified_at=now)
        tries.tell_of_wrong_code(challenge, request)
        return self._failed
