"""Logins by token: what the password alone returns, and whether a login's second factor still
counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model

from django_bandwidth_mfa import service
from django_bandwidth_mfa.internal.login.proofs import password_digest
from django_bandwidth_mfa.internal.phones import changes
from django_bandwidth_mfa.internal.staff.reset import reset_second_factor
from django_bandwidth_mfa.models import Phone
from django_bandwidth_mfa.signals import login_completed
from django_bandwidth_mfa.verification import CompletedLogin, LoginProof, PendingLogin
from tests.api.calls import TicketClient, get
from tests.conftest import OTHER_NUMBER, make_user

pytestmark = pytest.mark.django_db

BACKEND = "django.contrib.auth.backends.ModelBackend"
START = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
LATER = timedelta(seconds=10)


def as_stored(user: Any) -> Any:
    return get_user_model()._default_manager.get(pk=user.pk)


def proof_of(user: Any, **changed: Any) -> LoginProof:
    """Return the proof of a login of ``user`` at ``START``, with the code of their phone."""
    phone = Phone.objects.get(user=user).choice
    proof = LoginProof(
        user=user,
        signed_in_at=START,
        method="sms",
        verified_at=START,
        phone=phone,
        password_digest=password_digest(user),
    )
    return replace(proof, **changed)


# Beginning one -----------------------------------------------------------------------------------


def test_the_password_of_a_user_who_owes_a_code_is_worth_a_ticket(
    user: Any, bandwidth: Any
) -> None:
    """Fails when the policy is not checked: the password alone would complete the login."""
    begun = service.begin_login(user, backend=BACKEND)
    assert isinstance(begun, PendingLogin)
    assert (begun.user, begun.needs) == (user, "code")
    assert get(TicketClient(begun.ticket), "state").json()["state"] == "parked"
    assert bandwidth.inbox == []


def test_a_user_who_must_add_a_phone_first_is_told_so(newcomer: Any, configure: Any) -> None:
    configure(REQUIRED="all")
    begun = service.begin_login(newcomer, backend=BACKEND)
    assert isinstance(begun, PendingLogin)
    assert begun.needs == "phone"


def test_the_password_of_a_user_who_owes_no_code_completes_the_login(newcomer: Any) -> None:
    heard: list[Any] = []

    def note(**kwargs: Any) -> None:
        heard.append((kwargs["user"], kwargs["method"]))

    login_completed.connect(note)
    try:
        begun = service.begin_login(newcomer, backend=BACKEND)
    finally:
        login_completed.disconnect(note)
    assert isinstance(begun, CompletedLogin)
    assert (begun.method, begun.verified_at, begun.backend) == (None, None, BACKEND)
    assert begun.signed_in_at is not None
    assert heard == [(newcomer, None)]
    assert service.is_in_force(begun)
    assert not service.is_verified(begun)


def test_has_phone_asks_where_the_phones_are_kept(user: Any, newcomer: Any, configure: Any) -> None:
    assert service.has_phone(user)
    assert not service.has_phone(newcomer)
    configure(GET_PHONES="tests.internal.login.test_proofs.one_phone")
    assert service.has_phone(newcomer)


def one_phone(user: Any) -> list[str]:
    return [OTHER_NUMBER]


# What ends one -----------------------------------------------------------------------------------


def deactivate(user: Any) -> None:
    user.is_active = False
    user.save()


def another_password(user: Any) -> None:
    user.set_password("another")
    user.save()


ENDS: dict[str, Callable[[Any], object]] = {
    "signed out everywhere else": service.end_sessions,
    "a new code is required": service.require_new_code,
    "reset by staff": reset_second_factor,
    "the phone was removed": lambda user: changes.remove(Phone.objects.get(user=user)),
    "the phone's row was deleted": lambda user: Phone.objects.filter(user=user).delete(),
    "deactivated": deactivate,
    "another password": another_password,
}


@pytest.mark.attack("P46")
@pytest.mark.parametrize("end", ENDS)
def test_what_ends_a_session_ends_a_login_by_token(user: Any, end: str) -> None:
    """Fails for each cause that ``proofs.is_in_force`` does not check."""
    with time_machine.travel(START, tick=False) as clock:
        proof = proof_of(user)
        clock.shift(LATER)
        assert service.is_in_force(proof)
        assert service.is_verified(proof)
        ENDS[end](user)
        proof = replace(proof, user=as_stored(user))
        assert not service.is_in_force(proof)
        assert not service.is_verified(proof)


@pytest.mark.attack("P46")
def test_another_users_end_ends_nothing(user: Any) -> None:
    """Fails when the row of another user is read."""
    with time_machine.travel(START, tick=False) as clock:
        proof = proof_of(user)
        clock.shift(LATER)
        other = make_user("other", OTHER_NUMBER)
        for end in ENDS.values():
            end(other)
        assert service.is_verified(proof)


@pytest.mark.attack("P46")
def test_a_login_without_a_code_ends_when_its_user_owes_one(newcomer: Any) -> None:
    """Fails when a login that once needed no code never needs a code later."""
    proof = LoginProof(user=newcomer, signed_in_at=START)
    assert service.is_in_force(proof)
    Phone.objects.create(user=newcomer, number=OTHER_NUMBER, is_primary=True, confirmed_at=START)
    assert not service.is_in_force(proof)


@pytest.mark.attack("P46", "P47")
def test_a_login_that_does_not_say_when_it_began_is_older_than_any_end(newcomer: Any) -> None:
    """Fails when a missing start time counts as the present time."""
    proof = LoginProof(user=newcomer)
    assert service.is_in_force(proof)
    service.end_sessions(newcomer)
    assert not service.is_in_force(proof)


@pytest.mark.attack("P47")
@pytest.mark.parametrize(
    "changed",
    [{"method": None}, {"verified_at": None}, {"method": None, "verified_at": None}],
    ids=["no method", "no moment", "neither"],
)
def test_half_a_proof_is_none(user: Any, changed: dict[str, None]) -> None:
    """Fails when the method alone, or the moment alone, counts as a proof."""
    proof = proof_of(user, **changed)
    assert not service.is_verified(proof)
    assert not service.is_in_force(proof)


def test_max_age_counts_from_the_code(user: Any) -> None:
    """Fails when the age of the code is not checked."""
    with time_machine.travel(START, tick=False) as clock:
        proof = proof_of(user)
        clock.shift(timedelta(seconds=59))
        assert service.is_verified(proof, max_age=60)
        clock.shift(timedelta(seconds=1))
        assert not service.is_verified(proof, max_age=60)
        assert service.is_verified(proof)
        # A clock that was set back must not keep it for ever.
        clock.move_to(START - timedelta(seconds=5))
        assert not service.is_verified(proof, max_age=60)


def test_the_policy_gets_the_request(newcomer: Any, configure: Any, rf: Any) -> None:
    configure(REQUIRED="tests.internal.login.test_proofs.on_the_road")
    at_home, away = rf.get("/"), rf.get("/", headers={"x-away": "1"})
    proof = LoginProof(user=newcomer, signed_in_at=START)
    assert service.is_in_force(proof, request=at_home)
    assert not service.is_in_force(proof, request=away)
    assert isinstance(service.begin_login(newcomer, backend=BACKEND, request=away), PendingLogin)


def on_the_road(request: Any, user: Any) -> bool:
    return "x-away" in request.headers
