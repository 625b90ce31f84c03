"""Old names of functions still work, and a warning names the new ones."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from django_bandwidth_mfa import lifecycle, recovery, service
from django_bandwidth_mfa.verification import Verification

from .browsing import sign_in, state

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_recovery_codes_are_made_and_used(user: Any, configure: Any) -> None:
    configure(RECOVERY_CODES=2)
    with pytest.warns(DeprecationWarning, match=r"service\.issue_recovery_codes") as warnings_shown:
        codes = recovery.issue(user)
    assert [one.filename for one in warnings_shown] == [__file__], (
        "the warning names the line to change"
    )
    assert len(codes) == 2
    with pytest.warns(DeprecationWarning, match=r"service\.use_recovery_code"):
        assert recovery.use(user, codes[0]).passed
    with pytest.warns(DeprecationWarning, match=r"service\.use_recovery_code"):
        assert not recovery.use(user, codes[0]).passed


@pytest.mark.django_db(transaction=True)
def test_sessions_owe_a_code_again(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(RECHECK_SECONDS=0)
    sign_in(client, user, bandwidth)
    assert state(client) == "verified"
    with pytest.warns(DeprecationWarning, match=r"service\.require_new_code"):
        lifecycle.end_verified_sessions(user)
    assert state(client) == "parked"


def test_the_service_still_has_the_name_of_the_answer() -> None:
    assert service.Verification is Verification
