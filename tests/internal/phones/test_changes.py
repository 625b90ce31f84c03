"""What happens to phones, sessions and trusted browsers when something changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from django_bandwidth_mfa import service, signals
from django_bandwidth_mfa.exceptions import LastPhone, NoPhone
from django_bandwidth_mfa.internal.limits import rules, store
from django_bandwidth_mfa.internal.phones import changes
from django_bandwidth_mfa.internal.staff.reset import reset_second_factor
from django_bandwidth_mfa.models import Challenge, Phone, RecoveryCode, SecondFactor, TrustedBrowser
from django_bandwidth_mfa.testing import login_verified
from tests.browsing import assert_shut, give_password, state, wrong
from tests.conftest import NUMBER, OTHER_NUMBER, give_recovery_codes, make_user

pytestmark = pytest.mark.django_db

THIRD_NUMBER = "+12025550188"


@pytest.fixture
def two(db: None) -> Any:
    """A user with two phones."""
    return make_user("ada", NUMBER, OTHER_NUMBER)


def phones(user: Any) -> list[tuple[str, bool]]:
    return [
        (phone.number, phone.is_primary) for phone in Phone.objects.confirmed().filter(user=user)
    ]


# Phones ----------------------------------------------------------------------------------------


def test_another_phone_becomes_primary(two: Any) -> None:
    changes.make_primary(Phone.objects.get(number=OTHER_NUMBER))
    assert phones(two) == [(OTHER_NUMBER, True), (NUMBER, False)]


def test_an_unconfirmed_phone_does_not(two: Any) -> None:
    """Fails when ``confirmed_at`` is not checked: nobody has confirmed that number."""
    with pytest.raises(NoPhone):
        changes.make_primary(Phone.objects.create(user=two, number=THIRD_NUMBER))
    assert phones(two) == [(NUMBER, True), (OTHER_NUMBER, False)]


def test_codes_come_by_the_channel_that_is_preferred(two: Any, bandwidth: Any, caplog: Any) -> None:
    caplog.set_level("INFO", "django_bandwidth_mfa")
    changes.prefer_channel(Phone.objects.get(number=NUMBER), "voice")
    assert service.send_code(two).channel == "voice"
    [record] = [one for one in caplog.records if one.event == "phone_channel_changed"]
    assert (record.user, record.phone, record.channel) == (two.pk, "••42", "voice")


def test_an_unconfirmed_phone_prefers_none(two: Any) -> None:
    with pytest.raises(NoPhone):
        changes.prefer_channel(Phone.objects.create(user=two, number=THIRD_NUMBER), "voice")
    with pytest.raises(ValueError, match="channel must be one of"):
        changes.prefer_channel(Phone.objects.get(number=NUMBER), "letter")
    assert set(Phone.objects.values_list("channel", flat=True)) == {""}


def test_removing_the_primary_phone_makes_the_next_one_primary(two: Any) -> None:
    changes.remove(Phone.objects.get(number=NUMBER))
    assert phones(two) == [(OTHER_NUMBER, True)]


@pytest.mark.standard("V6.5.6", "63B-3.2.1")
def test_removing_a_phone_takes_the_codes_that_went_to_it(two: Any, bandwidth: Any) -> None:
    challenge = service.send_code(two)
    changes.remove(Phone.objects.get(number=NUMBER))
    assert not Challenge.objects.filter(pk=challenge.pk).exists()


def test_the_last_phone_stays_where_it_has_to(user: Any) -> None:
    give_recovery_codes(user)
    with pytest.raises(LastPhone):
        changes.remove(Phone.objects.get(), must_stay=lambda: True)
    assert phones(user) == [(NUMBER, True)]
    assert RecoveryCode.objects.left(user) == 10
    assert SecondFactor.objects.filter(verified_since__isnull=False).count() == 0


def test_an_unconfirmed_phone_does_not_allow_removing_the_last_phone(user: Any) -> None:
    """Fails when ``others`` counts unconfirmed phones: the user could remove the last phone that
    gets codes."""
    Phone.objects.create(user=user, number=OTHER_NUMBER)
    with pytest.raises(LastPhone):
        changes.remove(Phone.objects.get(number=NUMBER), must_stay=lambda: True)


def test_with_the_last_phone_go_the_recovery_codes(two: Any) -> None:
    give_recovery_codes(two)
    changes.remove(Phone.objects.get(number=NUMBER))
    assert RecoveryCode.objects.left(two) == 10
    changes.remove(Phone.objects.get(number=OTHER_NUMBER))
    assert not RecoveryCode.objects.filter(user=two).exists()


def test_a_change_sends_a_signal(two: Any) -> None:
    heard: list[Any] = []

    def hear(phone: Phone, user: Any, **kwargs: Any) -> None:
        heard.append((phone.number, user))

    for signal in (signals.phone_removed, signals.primary_phone_changed):
        signal.connect(hear)
    try:
        other = Phone.objects.get(number=OTHER_NUMBER)
        changes.make_primary(other)
        changes.remove(other)
    finally:
        for signal in (signals.phone_removed, signals.primary_phone_changed):
            signal.disconnect(hear)
    assert heard == [(OTHER_NUMBER, two)] * 2


# A phone that takes another's place ------------------------------------------------------------


def enrol(user: Any, bandwidth: Any, number: str, replaces: Phone | None) -> None:
    phone = Phone.objects.create(user=user, number=number, replaces=replaces)
    challenge = service.send_code(user, purpose="enrol", phone=phone)
    assert service.verify_code(challenge, bandwidth.inbox[0]["code"])


def test_a_new_phone_takes_the_place_of_the_old_one(two: Any, bandwidth: Any) -> None:
    old = Phone.objects.get(number=NUMBER)
    changes.rename(old, "mine")
    enrol(two, bandwidth, THIRD_NUMBER, old)
    assert phones(two) == [(THIRD_NUMBER, True), (OTHER_NUMBER, False)]
    assert Phone.objects.get(number=THIRD_NUMBER).name == "mine"
    assert SecondFactor.objects.get(user=two).verified_since is not None


def test_another_users_phone_is_never_replaced(two: Any, bandwidth: Any) -> None:
    """Fails when the old phone is looked up among the phones of all users."""
    other = make_user("bob", THIRD_NUMBER)
    enrol(two, bandwidth, "+12025550199", Phone.objects.get(user=other))
    assert phones(other) == [(THIRD_NUMBER, True)]


def test_until_it_is_confirmed_the_old_phone_stays(two: Any, bandwidth: Any) -> None:
    old = Phone.objects.get(number=NUMBER)
    phone = Phone.objects.create(user=two, number=THIRD_NUMBER, replaces=old)
    challenge = service.send_code(two, purpose="enrol", phone=phone)
    assert not service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
    assert phones(two) == [(NUMBER, True), (OTHER_NUMBER, False)]


# Sessions --------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(two: Any) -> Client:
    """Return another browser, which signed in with a recovery code: the removal of a single phone
    does not end that session."""
    client = Client()
    login_verified(client, two, method="recovery_code")
    return client


@pytest.mark.standard("V6.5.6")
@pytest.mark.attack("P18")
def test_a_change_ends_the_verified_state_within_the_recheck_time(
    two: Any, elsewhere: Client
) -> None:
    """Fails when the recheck ignores ``verified_since``."""
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        login_verified(elsewhere, two, method="recovery_code")
        clock.shift(10)
        changes.remove(Phone.objects.get(number=OTHER_NUMBER))
        clock.shift(289)
        assert state(elsewhere) == "verified"
        clock.shift(1)
        assert state(elsewhere) == "parked"
        login_verified(elsewhere, two)
        clock.shift(301)
        assert state(elsewhere) == "verified"


def test_a_reset_ends_it_too(two: Any, elsewhere: Client, configure: Any) -> None:
    configure(RECHECK_SECONDS=0)
    assert state(elsewhere) == "verified"
    reset_second_factor(two)
    assert state(elsewhere) == "parked"


def test_making_another_phone_primary_ends_nothing(
    two: Any, elsewhere: Client, configure: Any
) -> None:
    configure(RECHECK_SECONDS=0)
    changes.make_primary(Phone.objects.get(number=OTHER_NUMBER))
    assert state(elsewhere) == "verified"


def test_signing_out_elsewhere_signs_out_those_who_owe_no_code_too(
    user: Any, configure: Any
) -> None:
    """Fails when the recheck ignores ``signed_in_since``."""
    configure(RECHECK_SECONDS=0, REQUIRED="never")
    client = Client()
    client.force_login(user)
    assert state(client) == "exempt"
    service.end_sessions(user)
    assert state(client) == "anonymous"
    assert not client.session.keys()
    # On a machine whose clock is ahead, such a session may have begun before the end.
    client.force_login(user)
    assert state(client) == "anonymous"
    with time_machine.travel(timezone.now() + timedelta(seconds=3)):
        client.force_login(user)
        assert state(client) == "exempt"


def test_another_users_sessions_go_on(two: Any, elsewhere: Client, configure: Any) -> None:
    """Fails when the recheck reads the row of another user."""
    configure(RECHECK_SECONDS=0)
    other = make_user("bob", THIRD_NUMBER)
    service.end_sessions(other)
    reset_second_factor(other)
    assert state(elsewhere) == "verified"


# Reset -----------------------------------------------------------------------------------------


def test_a_reset_unlocks_and_keeps_what_the_user_has(two: Any, configure: Any) -> None:
    configure(FAILURES_BEFORE_LOCK=1)
    give_recovery_codes(two)
    TrustedBrowser.objects.create(user=two, digest="x")
    store.counting(lambda: rules.take_failure(two))
    assert rules.is_locked(two)
    reset_second_factor(two)
    assert not rules.is_locked(two)
    assert len(phones(two)) == 2
    assert RecoveryCode.objects.left(two) == 10
    assert not TrustedBrowser.objects.exists()


def test_a_reset_can_forget_the_phones_and_the_codes(two: Any, bandwidth: Any) -> None:
    other = make_user("bob", THIRD_NUMBER)
    give_recovery_codes(other)
    give_recovery_codes(two)
    service.send_code(two)
    reset_second_factor(two, forget_phones=True)
    assert phones(two) == []
    assert RecoveryCode.objects.left(two) == 0
    assert not Challenge.objects.filter(user=two).exists()
    assert phones(other) == [(THIRD_NUMBER, True)]
    assert RecoveryCode.objects.left(other) == 10


def test_a_reset_while_a_login_is_parked_voids_its_code(
    client: Client, two: Any, bandwidth: Any
) -> None:
    """Fails when a challenge stays after its phone is deleted."""
    give_password(client, two)
    client.get("/mfa/verify/")
    reset_second_factor(two, forget_phones=True)
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert_shut(client)


@pytest.mark.parametrize(("later", "stays"), [(-1, False), (1.9, False), (2.1, True)])
def test_a_session_that_began_within_two_seconds_after_the_end_is_ended_too(
    user: Any, configure: Any, later: float, stays: bool
) -> None:
    """Fails without the two seconds: a session that began earlier, on a machine whose clock is
    ahead, would stay."""
    configure(RECHECK_SECONDS=0, REQUIRED="never")
    client = Client()
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        service.end_sessions(user)
        clock.shift(later)
        client.force_login(user)
        clock.shift(10)
        assert state(client) == ("exempt" if stays else "anonymous")


def test_the_session_that_replaces_a_phone_stays_and_another_does_not(
    two: Any, bandwidth: Any
) -> None:
    """Fails when the two extra seconds also end the session that made the change."""
    here, elsewhere = Client(), Client()
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        login_verified(here, two)
        login_verified(elsewhere, two)
        old = Phone.objects.get(number=OTHER_NUMBER)
        here.post("/mfa/phones/add/", {"number": THIRD_NUMBER, "phone": old.choice})
        here.post("/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"]})
        clock.shift(301)
        assert state(here) == "verified"
        assert state(elsewhere) == "parked"
