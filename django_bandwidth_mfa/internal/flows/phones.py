"""Changes of a user's own phones and recovery codes that also change the session."""

from __future__ import annotations

from functools import partial

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from ... import service
from ...models import Phone
from ...types import User
from ..login import policy
from ..login.mark import outlive, settle_recovery_codes
from ..phones import changes


def remove_phone(request: HttpRequest, user: User, phone: Phone) -> None:
    """Remove ``phone`` from the account of ``user``.

    This session stays verified, unless its code was sent to ``phone``.  Then it owes a new code.

    :raises LastPhone: it is the user's only phone, and the policy requires one.
    """
    owes_code = partial(policy.owes_code, request, user)
    before = changes.remove(phone, must_stay=owes_code, request=request)
    outlive(request.session, user, before)


@sensitive_variables()
def issue_recovery_codes(request: HttpRequest, user: User) -> list[str]:
    """Create new recovery codes for ``user``, and record that this session has shown them."""
    settle_recovery_codes(request.session, user)
    return service.issue_recovery_codes(user, request=request)
