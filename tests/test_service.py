"""send_code and verify_code: which codes are sent, which codes pass, and what is counted."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import responses
import time_machine
from django.contrib.auth.models import AnonymousUser, Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from django_bandwidth_mfa import service, signals
from django_bandwidth_mfa.backends import BandwidthMFABackend
from django_bandwidth_mfa.bandwidth import BandwidthError
from django_bandwidth_mfa.exceptions import (
    Busy,
    ChallengeExpired,
    ChallengeUsed,
    Limited,
    Locked,
    MFAError,
    NoPhone,
    NumberRefused,
    ProviderUnavailable,
)
from django_bandwidth_mfa.internal.codes import provider
from django_bandwidth_mfa.internal.limits import store
from django_bandwidth_mfa.models import (
    Challenge,
    Counter,
    Phone,
    RecoveryCode,
    SecondFactor,
    SpentCode,
)
from django_bandwidth_mfa.verification import Verification, carry, pop_from

from .browsing import never_sent, shows, wrong
from .conftest import NUMBER, OTHER_NUMBER, give_recovery_codes, make_user

pytestmark = pytest.mark.django_db


def counted() -> list[Any]:
    """Return the counts, without buckets that will be empty within a minute."""
    live = Counter.objects.filter(moment__gt=store.now() + 60 * store.SECOND).order_by("key")
    return [*live.values("key", "moment"), *SecondFactor.objects.values("sends", "failures")]


@pytest.fixture(autouse=True)
def no_cooldown(bandwidth: Any, configure: Any) -> None:
    configure(RESEND_COOLDOWN=[0], SEND_LIMITS={"user": "", "number": "", "address": ""})


# Sending --------------------------------------------------------------------------------------


def test_a_code_goes_to_the_primary_phone_and_is_recorded(user: Any, bandwidth: Any) -> None:
    challenge = service.send_code(user)
    sent = bandwidth.inbox[0]
    assert (sent["to"], sent["channel"]) == (NUMBER, "sms")
    assert challenge.provider_id == sent["id"]
    challenge.refresh_from_db()
    assert challenge.is_open
    assert challenge.application_id == "messaging-application"
    assert "sign-in" in sent["text"]


def test_voice_calls_with_the_voice_application(user: Any, bandwidth: Any) -> None:
    challenge = service.send_code(user, channel="voice")
    assert bandwidth.inbox[0]["channel"] == "voice"
    assert challenge.application_id == "voice-application"
    assert service.verify_code(challenge, bandwidth.inbox[0]["code"]).method == "voice"


@pytest.mark.attack("P27")
def test_only_a_confirmed_phone_of_the_users_own_can_be_chosen(user: Any, bandwidth: Any) -> None:
    """Fails when the chosen phone is used without a check of its owner."""
    other = make_user("bob", OTHER_NUMBER).bandwidth_mfa_phones.get()
    unconfirmed = Phone.objects.create(user=user, number="+12025550199")
    for phone in (other, unconfirmed, OTHER_NUMBER, "+12025550199"):
        with pytest.raises(NoPhone):
            service.send_code(user, phone=phone)
    with pytest.raises(NoPhone):
        service.send_code(make_user("nobody"))
    for phone in (other, user.bandwidth_mfa_phones.get(number=NUMBER), None, OTHER_NUMBER):
        with pytest.raises(NoPhone):
            service.send_code(user, purpose="enrol", phone=phone)
    with pytest.raises(NoPhone):
        service.send_code(other.user, purpose="enrol", phone=unconfirmed)
    other.confirmed_at = None
    with pytest.raises(NoPhone):
        service.send_code(user, purpose="enrol", phone=other)
    assert bandwidth.inbox == []


@pytest.mark.standard("V6.3.6")
def test_an_unknown_purpose_or_channel_is_a_value_error(user: Any, configure: Any) -> None:
    with pytest.raises(ValueError, match="purpose"):
        service.send_code(user, purpose="other")
    configure(VOICE_APPLICATION_ID=None)
    with pytest.raises(ValueError, match="channel"):
        service.send_code(user, channel="voice")


@pytest.mark.attack("S5")
def test_no_code_is_sent_to_a_refused_number(user: Any, bandwidth: Any, configure: Any) -> None:
    configure(ALLOWED_REGIONS=["DE"])
    with pytest.raises(NumberRefused):
        service.send_code(user)
    assert bandwidth.inbox == []
    assert not Challenge.objects.exists()


@pytest.mark.attack("G11")
@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_no_code_is_sent_or_checked(bandwidth: Any) -> None:
    """Fails when counts are not made in a durable transaction: a rollback would allow unlimited
    tries."""
    user = make_user("ada", NUMBER)
    with transaction.atomic(), pytest.raises(RuntimeError):
        service.send_code(user)
    assert bandwidth.inbox == []
    challenge = service.send_code(user)
    requests_before = len(bandwidth.requests)
    with transaction.atomic(), pytest.raises(RuntimeError):
        service.verify_code(challenge, bandwidth.inbox[0]["code"])
    assert len(bandwidth.requests) == requests_before


@pytest.mark.django_db(transaction=True)
def test_within_transaction_counts_in_the_transaction_of_the_caller(
    user: Any, bandwidth: Any
) -> None:
    """Fails when the permission is still valid after its block, or when nothing is counted."""
    with transaction.atomic(), service.within_transaction():
        challenge = service.send_code(user)
        assert not service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
    assert SecondFactor.objects.get().failures == 1
    with transaction.atomic(), pytest.raises(RuntimeError):
        service.verify_code(challenge, bandwidth.inbox[0]["code"])
    assert service.verify_code(challenge, bandwidth.inbox[0]["code"])


def test_refusal_of_names_the_refusal_before_a_code_is_checked(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    assert service.refusal_of(user) is None
    challenge = service.send_code(user)
    configure(RESEND_COOLDOWN=[0], FAILURES_BEFORE_WAIT=1, FAILURE_WAIT_MIN=30)
    service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
    refusal = service.refusal_of(user)
    assert isinstance(refusal, Limited)
    assert (refusal.limit, refusal.retry_after) == ("wrong_codes", 30)
    with pytest.raises(Limited):
        service.verify_code(challenge, bandwidth.inbox[0]["code"])
    configure(RESEND_COOLDOWN=[0], FAILURES_BEFORE_LOCK=1)
    assert isinstance(service.refusal_of(user), Locked)


def test_each_refusal_and_each_call_sends_a_signal_without_a_number_or_a_code(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    """Monitoring counts these signals.  Fails when a refused send or try sends no signal."""
    received: list[tuple[Any, dict[str, Any]]] = []
    signal_names = ("send_refused", "try_refused", "call_began", "call_ended")
    receivers = {}
    for name in signal_names:
        receivers[name] = lambda signal, sender, name=name, **kwargs: received.append(
            (name, kwargs)
        )
        getattr(signals, name).connect(receivers[name])
    try:
        challenge = service.send_code(user)
        configure(RESEND_COOLDOWN=[0], SEND_LIMITS={"user": "1/h"}, FAILURES_BEFORE_WAIT=1)
        service.send_code(user)
        with pytest.raises(Limited):
            service.send_code(user)
        service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
        with pytest.raises(Limited):
            service.verify_code(challenge, bandwidth.inbox[0]["code"])
    finally:
        for name, receiver in receivers.items():
            getattr(signals, name).disconnect(receiver)
    call = ["call_began", "call_ended"]
    assert [name for name, _ in received] == [*call, *call, "send_refused", *call, "try_refused"]
    limits = [kwargs["error"].limit for name, kwargs in received if name.endswith("refused")]
    assert limits == ["user", "wrong_codes"]
    calls = [kwargs["call"] for name, kwargs in received if name == "call_ended"]
    assert [one.operation for one in calls] == ["messaging", "messaging", "verify"]
    for one in calls:
        assert one.was_made
        assert 0 <= one.waited <= one.seconds
        assert one.error is None
        assert NUMBER not in repr(one)
        assert bandwidth.inbox[0]["code"] not in repr(one)


@pytest.mark.parametrize("action", ["raise", "hide"])
def test_an_error_in_monitoring_does_not_stop_a_code(
    user: Any, bandwidth: Any, action: str
) -> None:
    """Fails when the signals of calls are not sent with ``send_robust``."""

    def fail(call: Any, **kwargs: Any) -> None:
        if action == "raise":
            raise LookupError("the monitoring is broken")
        call.error = call.seconds = None

    signals.call_began.connect(fail)
    signals.call_ended.connect(fail)
    try:
        challenge = service.send_code(user)
        assert service.verify_code(challenge, bandwidth.inbox[0]["code"])
    finally:
        signals.call_began.disconnect(fail)
        signals.call_ended.disconnect(fail)


def test_a_call_that_is_not_made_is_reported_as_not_made(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(BREAKER_FAILURES=1)
    bandwidth.fault(on="messaging", drop=True, times=1)
    calls: list[signals.BandwidthCall] = []

    def hear(call: signals.BandwidthCall, **kwargs: Any) -> None:
        calls.append(call)

    signals.call_ended.connect(hear)
    try:
        for _ in range(2):
            with pytest.raises(ProviderUnavailable):
                service.send_code(user)
    finally:
        signals.call_ended.disconnect(hear)
    assert [(one.was_made, one.breaker_is_open) for one in calls] == [(True, True), (False, True)]
    assert all(isinstance(one.error, BandwidthError) for one in calls)


# Verifying ------------------------------------------------------------------------------------


@pytest.mark.attack("G1")
def test_a_right_code_passes_once(user: Any, bandwidth: Any) -> None:
    """Fails when a try does not need a challenge that has not passed (``passed_at=None``)."""
    challenge = service.send_code(user)
    code = bandwidth.inbox[0]["code"]
    assert service.verify_code(challenge, code)
    requests_before = len(bandwidth.requests)
    with pytest.raises(ChallengeUsed):
        service.verify_code(challenge, code)
    assert len(bandwidth.requests) == requests_before


@pytest.mark.attack("G2")
def test_a_code_that_passed_passes_no_other_challenge(user: Any, bandwidth: Any) -> None:
    """Fails without SpentCode: Bandwidth accepts any code of the last minutes several times."""
    first = service.send_code(user)
    code = bandwidth.inbox[0]["code"]
    assert service.verify_code(first, code)
    second = service.send_code(user)
    assert not service.verify_code(second, code)
    assert service.verify_code(second, bandwidth.inbox[0]["code"])


def test_a_spent_code_is_forgotten_when_bandwidth_no_longer_accepts_it(
    user: Any, bandwidth: Any
) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from django_bandwidth_mfa.internal.codes import spending

    challenge = service.send_code(user)
    code = bandwidth.inbox[0]["code"]
    past = timezone.now() - timedelta(seconds=1)
    SpentCode.objects.create(digest=spending.digest(NUMBER, code), expires_at=past)
    assert service.verify_code(challenge, code)


@pytest.mark.attack("G13")
def test_after_a_resend_the_earlier_code_still_works(user: Any, bandwidth: Any) -> None:
    service.send_code(user)
    newest = service.send_code(user)
    assert service.verify_code(newest, bandwidth.inbox[1]["code"])


@pytest.mark.attack("P33")
def test_a_code_of_one_purpose_passes_no_other(user: Any, bandwidth: Any) -> None:
    """Fails when all purposes have the same scope."""
    service.send_code(user, purpose="step-up")
    code = bandwidth.inbox[0]["code"]
    assert not service.verify_code(service.send_code(user, purpose="login"), code)


ARABIC, PERSIAN, FULL_WIDTH = (
    str.maketrans("0123456789", digits)
    for digits in ("٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "０１２３４５６７８９")
)

# The ways to type a code. Each function gets the two halves of the code.
WAYS = {
    "spaces": lambda a, b: f" {a} {b} ",
    "a hyphen": lambda a, b: f"{a}-{b}",
    "an en dash": lambda a, b: f"{a}\N{EN DASH}{b}",
    "no-break spaces": lambda a, b: f"\xa0{a}\u202f{b}",
    "zero-width spaces": lambda a, b: f"\u200b{a}\u200b{b}\ufeff",
    "marks of direction": lambda a, b: f"\u202a{a}\u2069\u200f{b}\u202c",
    "full-width digits": lambda a, b: (a + b).translate(FULL_WIDTH),
    "Arabic-Indic digits": lambda a, b: (a + b).translate(ARABIC),
    "Persian digits": lambda a, b: f"{a} {b}".translate(PERSIAN),
    "two scripts": lambda a, b: a + b.translate(ARABIC),
    "the message": lambda a, b: f"Your Harbour sign-in code is {a}{b}",
    "a message in groups": lambda a, b: f"Your code: {a} {b}. It works for 3 minutes.",
    "a message that names the site": lambda a, b: f"Bank 24: {a}{b}\n\n@bank.example #{a}{b}",
    "an Arabic message": lambda a, b: f"رمزك هو \u2068{(a + b).translate(ARABIC)}\u2069",
}


@pytest.mark.attack("G9")
@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_type_a_code_is_the_same_code(user: Any, bandwidth: Any, way: str) -> None:
    """Bandwidth gets ASCII digits.  Fails when the app sends the digits as they were typed."""
    challenge = service.send_code(user)
    code = bandwidth.inbox[0]["code"]
    assert service.verify_code(challenge, WAYS[way](code[:3], code[3:]))
    assert bandwidth.requests[-1]["body"]["code"] == code
    challenge.refresh_from_db()
    assert challenge.tries == 1


@pytest.mark.attack("G9")
@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_code_is_counted_in_each_way_to_type_it(
    user: Any, bandwidth: Any, configure: Any, way: str
) -> None:
    """Fails when the text is checked before its digits are read: guesses would cost nothing."""
    configure(FAILURES_BEFORE_WAIT=100)
    challenge = service.send_code(user)
    code = wrong(bandwidth.inbox[0]["code"])
    for _ in range(5):
        assert not service.verify_code(challenge, WAYS[way](code[:3], code[3:]))
    with pytest.raises(ChallengeUsed):
        service.verify_code(challenge, bandwidth.inbox[0]["code"])


JUNK = [
    "",
    "12345",
    "1234567",
    "abcdef",
    "12345½",
    "12a456",
    "123456 7",
    "1" * 5000,
    "六五四三二一",
]


@pytest.mark.attack("G9")
@pytest.mark.parametrize("junk", JUNK)
def test_a_text_that_cannot_be_a_code_is_not_counted_and_not_sent_to_bandwidth(
    user: Any, bandwidth: Any, junk: str
) -> None:
    challenge = service.send_code(user)
    requests_before = len(bandwidth.requests)
    assert not service.verify_code(challenge, junk)
    assert len(bandwidth.requests) == requests_before
    challenge.refresh_from_db()
    assert challenge.tries == 0
    assert SecondFactor.objects.get().failures == 0


@pytest.mark.attack("G9")
@pytest.mark.parametrize("typed", ["{right} {wrong}", "{right} or {wrong}", "{wrong}, {right}"])
def test_a_text_with_two_codes_is_not_counted_and_not_sent_to_bandwidth(
    user: Any, bandwidth: Any, typed: str
) -> None:
    """Fails when the first or the last code is checked: nobody knows which one is meant.  If both
    were checked, one try would be two guesses."""
    challenge = service.send_code(user)
    requests_before = len(bandwidth.requests)
    code = bandwidth.inbox[0]["code"]
    assert not service.verify_code(challenge, typed.format(right=code, wrong=wrong(code)))
    assert len(bandwidth.requests) == requests_before
    challenge.refresh_from_db()
    assert challenge.tries == 0
    assert service.verify_code(challenge, f"{code}, I say: {code}!")


@pytest.mark.standard("V6.6.3")
@pytest.mark.attack("G6")
def test_a_challenge_can_be_tried_five_times(user: Any, bandwidth: Any) -> None:
    """Fails when ``tries`` is not checked: after 40 guesses, the right code passed."""
    challenge = service.send_code(user)
    code = bandwidth.inbox[0]["code"]
    for _ in range(4):
        assert not service.verify_code(challenge, wrong(code))
    SecondFactor.objects.all().delete()
    assert not service.verify_code(challenge, wrong(code))
    SecondFactor.objects.all().delete()
    with pytest.raises(ChallengeUsed):
        service.verify_code(challenge, code)


def test_a_code_of_an_expired_challenge_is_not_checked(user: Any, bandwidth: Any) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        challenge = service.send_code(user)
        for seconds in (180, 1):
            clock.shift(seconds)
            with pytest.raises(ChallengeExpired):
                service.verify_code(challenge, bandwidth.inbox[0]["code"])


@pytest.mark.standard("V6.5.6", "63B-3.2.1")
def test_removing_the_phone_ends_its_challenges(user: Any, bandwidth: Any) -> None:
    challenge = service.send_code(user)
    user.bandwidth_mfa_phones.all().delete()
    with pytest.raises(ChallengeExpired):
        service.verify_code(challenge, bandwidth.inbox[0]["code"])


@pytest.mark.attack("P26")
def test_enrolling_confirms_the_phone_and_ends_other_enrolments(bandwidth: Any) -> None:
    """Fails when the other enrolments stay pending: a person who began one with only the password
    could finish it afterwards."""
    user = make_user("nova")
    strangers = Phone.objects.create(user=user, number=OTHER_NUMBER)
    stranger = service.send_code(user, purpose="enrol", phone=strangers)
    strangers_code = bandwidth.inbox[0]["code"]
    mine = Phone.objects.create(user=user, number=NUMBER)
    challenge = service.send_code(user, purpose="enrol", phone=mine)
    assert service.verify_code(challenge, bandwidth.inbox[0]["code"])
    assert [phone.number for phone in Phone.objects.confirmed().filter(user=user)] == [NUMBER]
    assert Phone.objects.get().is_primary
    with pytest.raises(ChallengeExpired):
        service.verify_code(stranger, strangers_code)


# Waits and locks ------------------------------------------------------------------------------


@pytest.mark.standard("V6.6.3", "63B-3.2.2c")
@pytest.mark.attack("G6")
def test_wrong_codes_in_a_row_bring_waits_that_double_and_a_right_one_clears_them(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(TRIES_PER_CHALLENGE=100)
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        for wait in (0, 0, 0, 0, 30, 60, 120):
            challenge = service.send_code(user)
            bandwidth_code = bandwidth.inbox[0]["code"]
            assert not service.verify_code(challenge, wrong(bandwidth_code))
            if wait:
                with pytest.raises(Limited) as refused:
                    service.verify_code(challenge, bandwidth_code)
                assert refused.value.retry_after == wait
                clock.shift(wait)
        challenge = service.send_code(user)
        assert service.verify_code(challenge, bandwidth.inbox[0]["code"])
        assert not service.verify_code(service.send_code(user), never_sent(bandwidth))
        assert not service.verify_code(service.send_code(user), "000000")


@pytest.mark.standard("V6.6.3", "63B-3.1.3.2e")
@pytest.mark.attack("G8")
def test_a_new_challenge_or_another_phone_resets_no_failures(user: Any, bandwidth: Any) -> None:
    for _ in range(5):
        challenge = service.send_code(user)
        service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
    Phone.objects.create(user=user, number=OTHER_NUMBER, confirmed_at="2026-01-01T00:00:00Z")
    challenge = service.send_code(user, phone=OTHER_NUMBER)
    with pytest.raises(Limited):
        service.verify_code(challenge, bandwidth.inbox[0]["code"])


@pytest.mark.standard("63B-3.2.2a")
@pytest.mark.attack("G6")
def test_too_many_failures_lock_and_say_so(user: Any, bandwidth: Any, configure: Any) -> None:
    configure(FAILURES_BEFORE_LOCK=2)
    locked_users: list[Any] = []

    def hear(user: Any, **kwargs: Any) -> None:
        locked_users.append(user)

    signals.locked_out.connect(hear)
    try:
        challenge = service.send_code(user)
        code = bandwidth.inbox[0]["code"]
        assert not service.verify_code(challenge, wrong(code))
        assert locked_users == []
        assert not service.verify_code(challenge, wrong(code))
    finally:
        signals.locked_out.disconnect(hear)
    assert locked_users == [user]
    with pytest.raises(Locked):
        service.verify_code(challenge, code)


# Errors of Bandwidth --------------------------------------------------------------------------


@pytest.mark.attack("G10")
@pytest.mark.parametrize("status", [400, 401, 403, 500, 503])
def test_a_send_that_bandwidth_refuses_is_not_counted(
    user: Any, bandwidth: Any, status: int
) -> None:
    bandwidth.fault(on="messaging", status=status)
    with pytest.raises(ProviderUnavailable) as failed:
        service.send_code(user)
    assert not failed.value.may_have_arrived
    assert not Challenge.objects.current(user, "login")
    bandwidth.clear_faults()
    challenge = service.send_code(user)
    bandwidth.fault(on="verify", status=status)
    for _ in range(8):
        with pytest.raises(ProviderUnavailable):
            service.verify_code(challenge, bandwidth.inbox[0]["code"])
        challenge.refresh_from_db()
        assert challenge.tries == 0
    bandwidth.clear_faults()
    assert service.verify_code(challenge, bandwidth.inbox[0]["code"])


def test_a_code_that_may_have_arrived_stays_counted_and_can_be_typed(
    user: Any, bandwidth: Any
) -> None:
    bandwidth.fault(on="messaging", drop=True, times=1)
    with pytest.raises(ProviderUnavailable) as failed:
        service.send_code(user)
    assert failed.value.may_have_arrived
    challenge = Challenge.objects.current(user, "login")
    assert challenge is not None
    assert service.verify_code(challenge, bandwidth.inbox[0]["code"])


@pytest.mark.attack("G10")
def test_a_try_of_unknown_outcome_stays_counted(user: Any, bandwidth: Any) -> None:
    """Fails when no error is counted: an attacker who drops answers would have unlimited tries."""
    challenge = service.send_code(user)
    bandwidth.fault(on="verify", drop=True)
    for _ in range(4):
        with pytest.raises(ProviderUnavailable):
            service.verify_code(challenge, bandwidth.inbox[0]["code"])
    challenge.refresh_from_db()
    assert challenge.tries == 4


@pytest.mark.attack("S12")
def test_a_429_for_a_check_stops_only_checks_of_that_number_and_purpose(
    user: Any, bandwidth: Any
) -> None:
    """Fails when one key blocks the number for everything: sends and step-ups would wait, too."""
    same_phone = make_user("bob", NUMBER)
    theirs = service.send_code(same_phone)
    challenge = service.send_code(user)
    code = bandwidth.inbox[0]["code"]
    bandwidth.fault(on="verify", status=429, times=1)
    with pytest.raises(Limited):
        service.verify_code(challenge, code)
    requests_before = len(bandwidth.requests)
    for held in (challenge, theirs):  # all challenges share the wait
        with pytest.raises(Limited) as refused:
            service.verify_code(held, code)
        assert 100 < refused.value.retry_after <= 120
    assert len(bandwidth.requests) == requests_before
    service.send_code(user)
    step_up = service.send_code(user, purpose="step-up")
    assert service.verify_code(step_up, bandwidth.inbox[0]["code"])


@pytest.mark.attack("S12")
@pytest.mark.parametrize("endpoint", ["messaging", "verify"])
def test_a_429_while_a_stranger_enrols_my_number_stops_no_login(
    user: Any, bandwidth: Any, endpoint: str
) -> None:
    """Fails when the key of a wait does not contain the purpose."""
    stranger = make_user("stranger")
    phone = Phone.objects.create(user=stranger, number=NUMBER)
    challenge = service.send_code(user)
    code = bandwidth.inbox[0]["code"]
    theirs = service.send_code(stranger, purpose="enrol", phone=phone)
    refused = {
        "messaging": lambda: service.send_code(stranger, purpose="enrol", phone=phone),
        "verify": lambda: service.verify_code(theirs, "000000"),
    }
    bandwidth.fault(on=endpoint, status=429, times=1)
    for _ in range(2):  # Bandwidth does not get the second check: the stranger has to wait
        with pytest.raises(Limited):
            refused[endpoint]()
    service.send_code(user)
    assert service.verify_code(challenge, code)


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        ('{"error": "wait"}', 120),
        ('{"error": "please wait 5 minutes"}', 300),
        ('{"error": "please wait 20 seconds"}', 20),
        ('{"error": "please wait 0 seconds"}', 1),
    ],
)
def test_the_wait_is_the_time_that_bandwidth_names_or_two_minutes(
    user: Any, bandwidth: Any, body: str, wait: int
) -> None:
    """Fails when the app ignores the time that Bandwidth names.  0 is such a time, too."""
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        challenge = service.send_code(user)
        bandwidth.fault(on="verify", status=429, body=body, times=1)
        for _ in range(2 if wait > 1 else 1):
            with pytest.raises(Limited) as refused:
                service.verify_code(challenge, bandwidth.inbox[0]["code"])
            assert refused.value.retry_after == wait
        clock.shift(min(wait, 179))
        if wait < 180:
            assert service.verify_code(challenge, bandwidth.inbox[0]["code"])


@pytest.mark.parametrize("channel", ["sms", "voice"])
def test_a_429_for_a_send_stops_sends_and_no_check(user: Any, bandwidth: Any, channel: str) -> None:
    """Fails when one key blocks the number for everything: the received code could not be typed."""
    challenge = service.send_code(user)
    code = bandwidth.inbox[0]["code"]
    bandwidth.fault(on="all", status=429, times=1)
    with pytest.raises(Limited):
        service.send_code(user, channel=channel)
    requests_before = len(bandwidth.requests)
    for purpose in ("login", "step-up"):
        with pytest.raises(Limited):
            service.send_code(user, purpose=purpose)
    assert len(bandwidth.requests) == requests_before
    assert service.verify_code(challenge, code)


def test_a_429_for_the_token_does_not_block_the_number(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when each 429 blocks the number: this limit belongs to the account, not to the user."""
    configure(CONNECT_TIMEOUT=2.5)  # a new client, without a token
    bandwidth.fault(on="token", status=429, times=1)
    with pytest.raises(ProviderUnavailable):
        service.send_code(user)
    assert service.send_code(user)


def test_a_code_that_passed_is_remembered_as_long_as_bandwidth_may_accept_it(
    user: Any, bandwidth: Any
) -> None:
    challenge = service.send_code(user)
    passed = service.verify_code(challenge, bandwidth.inbox[0]["code"])
    assert passed.verified_at is not None
    spent = SpentCode.objects.get()
    assert (spent.expires_at - passed.verified_at).total_seconds() == 15 * 60


def test_one_client_is_kept_per_configuration(configure: Any) -> None:
    """A kept client keeps its connections and its token."""
    first = provider.client()
    assert provider.client() is first
    configure(READ_TIMEOUT=4)
    assert provider.client() is not first


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_report_of_an_error_in_a_sites_own_view_shows_no_code(
    user: Any, bandwidth: Any, configure: Any, rf: Any
) -> None:
    """Fails without ``sensitive_variables``. The app's own pages have another filter."""
    import re
    import sys

    from django.db import connection
    from django.views.debug import ExceptionReporter

    from django_bandwidth_mfa import service

    configure(FAILURES_BEFORE_WAIT=100, TRIES_PER_CHALLENGE=100, SEND_LIMITS={"user": "30/h"})
    configure(RECOVERY_CODES=1)  # each one takes time
    challenge = service.send_code(user)
    code = bandwidth.inbox[0]["code"]
    recovery_code = service.issue_recovery_codes(user)[0]
    reports = 0
    for work in (
        lambda: service.send_code(user, phone=NUMBER),
        lambda: service.verify_code(challenge, code),
        lambda: service.use_recovery_code(user, recovery_code),
        lambda: service.issue_recovery_codes(user),
    ):
        for failing in range(1, 30):
            left = [failing]

            def fail(execute: Any, *args: Any, left: list[int] = left) -> Any:
                left[0] -= 1
                if left[0] == 0:
                    raise LookupError("a bug")
                return execute(*args)

            try:
                with connection.execute_wrapper(fail):
                    work()
            except LookupError:
                data = ExceptionReporter(rf.get("/"), *sys.exc_info()).get_traceback_data()
                # The frame of this test contains the codes. The frame of a real view would not.
                ours = [f["vars"] for f in data["frames"] if "bandwidth_mfa" in f["filename"]]
                reports += bool(ours)
                assert not shows(str(ours), code)
                for secret in (recovery_code, recovery_code.replace("-", ""), NUMBER[1:]):
                    assert secret not in str(ours)
                # A moment has only digits. A recovery code with only digits is rare.
                assert not re.search("'(?![0-9]+')[0-9A-Z]{10,24}'", str(ours))
            except MFAError:
                break
    assert reports > 10


LIES = [
    '{"valid": "true"}',
    '{"valid": 1}',
    '{"valid": [true]}',
    '{"valid": null}',
    "{}",
    "true",
    '"{\\"valid\\": true}"',
    '[{"valid": true}]',
    '{"valid": false, "valid": true}',
    '{"valid": true',
    "<html>valid: true</html>",
    "",
]


@pytest.mark.attack("N1")
@pytest.mark.parametrize("lie", LIES)
def test_no_false_answer_passes(user: Any, bandwidth: Any, lie: str) -> None:
    """Fails when the client accepts any true value in place of ``valid is True``."""
    challenge = service.send_code(user)
    bandwidth.fault(on="verify", status=200, body=lie)
    with pytest.raises(MFAError):
        service.verify_code(challenge, bandwidth.inbox[0]["code"])
    challenge.refresh_from_db()
    assert challenge.passed_at is None


@pytest.mark.attack("N2")
@pytest.mark.parametrize("status", [201, 202, 204, 301, 302, 307])
def test_no_other_status_passes(user: Any, bandwidth: Any, status: int) -> None:
    challenge = service.send_code(user)
    bandwidth.fault(on="verify", status=status, body='{"valid": true}')
    with pytest.raises(ProviderUnavailable):
        service.verify_code(challenge, bandwidth.inbox[0]["code"])


@responses.activate
def test_the_seven_fields_go_to_the_documented_address(user: Any, configure: Any) -> None:
    configure(BASE_URL="https://mfa.bandwidth.com/api/v1", CLIENT_ID=None, CLIENT_SECRET=None)
    configure(USERNAME="someone", PASSWORD="something")
    base = "https://mfa.bandwidth.com/api/v1/accounts/5500001/code"
    responses.post(f"{base}/messaging", json={"messageId": "m-1"})
    verify = responses.post(f"{base}/verify", json={"valid": True})
    assert service.verify_code(service.send_code(user), "123456")
    import json

    body = json.loads(verify.calls[0].request.body)
    assert sorted(body) == [
        "applicationId",
        "code",
        "digits",
        "expirationTimeInMinutes",
        "from",
        "scope",
        "to",
    ]


# Logs and signals ------------------------------------------------------------------------------


@pytest.mark.attack("T7")
def test_logs_and_signals_hold_no_code_no_number_and_no_credential(
    user: Any, bandwidth: Any, caplog: Any
) -> None:
    sent_signals: list[Any] = []

    def hear(signal: Any, **kwargs: Any) -> None:
        sent_signals.append((signal, kwargs))

    all_signals = [signals.code_sent, signals.code_send_failed, signals.code_verified]
    all_signals.append(signals.code_rejected)
    for signal in all_signals:
        signal.connect(hear)
    try:
        with caplog.at_level(logging.DEBUG):
            challenge = service.send_code(user)
            code = bandwidth.inbox[0]["code"]
            service.verify_code(challenge, wrong(code))
            service.verify_code(challenge, code)
            bandwidth.fault(on="messaging", status=500)
            with pytest.raises(MFAError):
                service.send_code(user)
    finally:
        for signal in all_signals:
            signal.disconnect(hear)
    assert [signal for signal, _ in sent_signals] == [
        signals.code_sent,
        signals.code_rejected,
        signals.code_verified,
        signals.code_send_failed,
    ]
    ours = "\n".join(r.getMessage() for r in caplog.records if r.name == "django_bandwidth_mfa")
    assert str(challenge.pk) in ours
    assert "••42" in ours
    for text in (ours, repr(sent_signals)):
        for secret in (NUMBER, NUMBER[2:], code, wrong(code), "sim-secret"):
            assert secret not in text
    assert isinstance(sent_signals[-1][1]["error"], BandwidthError)


def events(caplog: Any) -> list[str]:
    return [r.event for r in caplog.records if r.name == "django_bandwidth_mfa"]


def test_each_record_of_the_log_has_fields_for_machines(
    user: Any, bandwidth: Any, caplog: Any
) -> None:
    bandwidth.fault(on="verify", status=500, times=1)
    with caplog.at_level(logging.INFO):
        challenge = service.send_code(user)
        with pytest.raises(ProviderUnavailable):
            service.verify_code(challenge, bandwidth.inbox[0]["code"])
    sent, failed = (r for r in caplog.records if r.name == "django_bandwidth_mfa")
    assert sent.event == "code_sent"
    assert (sent.challenge, sent.to) == (str(challenge.pk), "••42")
    assert (sent.purpose, sent.channel) == ("login", "sms")
    assert sent.provider_id == challenge.provider_id
    assert (failed.event, failed.error, failed.status) == ("verify_failed", "ServerError", 500)
    assert failed.request_id
    assert failed.request_id in failed.getMessage()


def test_a_send_that_a_limit_refuses_is_logged(
    user: Any, bandwidth: Any, configure: Any, caplog: Any
) -> None:
    configure(SEND_LIMITS={"user": "1/h"})
    service.send_code(user)
    with pytest.raises(Limited):
        service.send_code(user)
    assert events(caplog) == ["send_refused"]


@pytest.mark.attack("N10")
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("on", ["messaging", "verify"])
def test_bandwidth_refusing_the_site_raises_an_alarm(
    user: Any, bandwidth: Any, caplog: Any, status: int, on: str
) -> None:
    """Fails when a refusal of all users is logged like a refusal of one user."""
    statuses: list[Any] = []

    def hear(error: BandwidthError, **kwargs: Any) -> None:
        statuses.append(error.status)

    challenge = service.send_code(user)
    ask = {
        "messaging": lambda: service.send_code(user),
        "verify": lambda: service.verify_code(challenge, bandwidth.inbox[0]["code"]),
    }
    bandwidth.fault(on=on, status=status)
    signals.access_refused.connect(hear)
    try:
        with pytest.raises(ProviderUnavailable):
            ask[on]()
    finally:
        signals.access_refused.disconnect(hear)
    assert statuses == [status]
    alarm = next(r for r in caplog.records if getattr(r, "event", "") == "access_refused")
    assert (alarm.levelname, alarm.status) == ("CRITICAL", status)


# The breaker ----------------------------------------------------------------------------------


@pytest.mark.attack("N8")
def test_an_open_breaker_refuses_without_a_call_and_counts_nothing(
    user: Any, bandwidth: Any, configure: Any, caplog: Any
) -> None:
    """Fails without the breaker: each call would block a worker until its timeout."""
    configure(BREAKER_FAILURES=2, FAILURES_BEFORE_WAIT=100, TRIES_PER_CHALLENGE=100)
    challenge = service.send_code(user)
    bandwidth.fault(on="verify", drop=True)
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            service.verify_code(challenge, bandwidth.inbox[0]["code"])
    requests_before = len(bandwidth.requests)
    before = counted()
    for _ in range(10):
        with pytest.raises(ProviderUnavailable) as refused:
            service.verify_code(challenge, bandwidth.inbox[0]["code"])
        assert not refused.value.may_have_arrived
        with pytest.raises(ProviderUnavailable):
            service.send_code(user)
    assert len(bandwidth.requests) == requests_before
    assert counted() == before
    challenge.refresh_from_db()
    assert challenge.tries == 2
    assert "breaker_open" in events(caplog)


def test_the_breaker_closes_when_bandwidth_answers_again(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(BREAKER_FAILURES=1, BREAKER_SECONDS=1)
    challenge = service.send_code(user)
    bandwidth.fault(on="verify", drop=True, times=1)
    with pytest.raises(ProviderUnavailable):
        service.verify_code(challenge, bandwidth.inbox[0]["code"])
    breaker = provider.breaker()
    assert breaker.is_open
    later = breaker._clock() + 1
    breaker._clock = lambda: later
    assert service.verify_code(challenge, bandwidth.inbox[0]["code"])
    assert not breaker.is_open


def test_the_breaker_is_closed_after_settings_change(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(BREAKER_FAILURES=1)
    bandwidth.fault(on="messaging", drop=True, times=1)
    with pytest.raises(ProviderUnavailable):
        service.send_code(user)
    assert provider.breaker().is_open
    configure(BREAKER_FAILURES=2)
    configure(BREAKER_FAILURES=1)
    assert not provider.breaker().is_open


def test_without_a_free_place_bandwidth_is_not_called_and_nothing_is_counted(
    user: Any, bandwidth: Any, configure: Any, caplog: Any
) -> None:
    """Fails when it is reported as an outage, when it opens the breaker, and when it is counted."""
    configure(MAX_CONCURRENT_CALLS=1, MAX_WAITING_CALLS=1, WAIT_SECONDS=0.001, BREAKER_FAILURES=1)
    challenge = service.send_code(user)
    code = bandwidth.inbox[0]["code"]
    requests_before = len(bandwidth.requests)
    before = counted()
    failures: list[Any] = []

    def hear(**kwargs: Any) -> None:
        failures.append(kwargs)

    signals.code_send_failed.connect(hear)
    try:
        with provider.breaker().guard():
            with pytest.raises(Busy) as busy:
                service.verify_code(challenge, code)
            with pytest.raises(Busy):
                service.send_code(user, purpose="step-up")
    finally:
        signals.code_send_failed.disconnect(hear)
    assert busy.value.retry_after == 1
    assert len(bandwidth.requests) == requests_before
    assert counted() == before
    assert not Challenge.objects.current(user, "step-up")
    assert failures == []
    events = [
        (r.event, r.levelname, r.action)  # type: ignore[attr-defined]
        for r in caplog.records
        if r.name == "django_bandwidth_mfa"
    ]
    assert events == [("no_free_place", "WARNING", "verify"), ("no_free_place", "WARNING", "send")]
    assert not provider.breaker().is_open
    assert service.verify_code(challenge, code)


# Bound codes ----------------------------------------------------------------------------------


@pytest.mark.standard("V6.6.2")
@pytest.mark.attack("G13")
def test_a_bound_code_passes_its_own_challenge_only(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails without BIND_CODES: then the earlier code works, too."""
    configure(BIND_CODES=True)
    first = service.send_code(user)
    earlier = bandwidth.inbox[0]["code"]
    second = service.send_code(user)
    newest = bandwidth.inbox[0]["code"]
    if earlier != newest:
        assert not service.verify_code(second, earlier)
    assert service.verify_code(second, newest)
    assert service.verify_code(first, earlier)


@pytest.mark.parametrize("scope", ["sign-in", "x" * 25])
def test_the_scope_of_a_bound_code_is_unique_and_not_in_the_message(
    user: Any, bandwidth: Any, configure: Any, scope: str
) -> None:
    configure(BIND_CODES=True, SCOPES={"login": scope})
    scopes = {service.send_code(user).scope for _ in range(20)}
    assert len(scopes) == 20
    assert {len(one) for one in scopes} == {min(len(scope), 16) + 1 + 8}
    assert all(one.startswith(scope[:16]) for one in scopes)
    sent = bandwidth.requests[-1]["body"]
    assert sent["scope"] in scopes
    assert "{SCOPE}" not in sent["message"]
    assert scope in bandwidth.inbox[0]["text"]
    assert sent["scope"] not in bandwidth.inbox[0]["text"]


@pytest.mark.attack("G14")
def test_two_users_of_one_number_share_its_codes_unless_they_are_bound(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    """Bandwidth knows the number and the scope of a code, but not the user."""
    partner = make_user("bob", NUMBER)
    for is_bound in (False, True):
        configure(BIND_CODES=is_bound)
        service.send_code(user)
        users_code = bandwidth.inbox[0]["code"]
        challenge = service.send_code(partner)
        assert bool(service.verify_code(challenge, users_code)) is not is_bound


@pytest.mark.attack("T8", "T11")
def test_no_text_of_a_row_shows_a_full_number(user: Any, bandwidth: Any) -> None:
    challenge = service.send_code(user)
    service.verify_code(challenge, bandwidth.inbox[0]["code"])
    rows = [user.bandwidth_mfa_phones.get(), challenge, SpentCode.objects.get()]
    for row in [*rows, *Counter.objects.all()]:
        assert NUMBER[2:] not in f"{row} {row!r}"
        assert bandwidth.inbox[0]["code"] not in f"{row} {row!r}"


@pytest.mark.parametrize("kind", ["nothing", "challenge", "token"])
def test_the_backend_ignores_other_credentials(user: Any, bandwidth: Any, kind: str) -> None:
    """A listed backend also gets the credentials of each password login."""
    challenge = service.send_code(user)
    code = bandwidth.inbox[0]["code"]
    requests_before = len(bandwidth.requests)
    credentials = {"challenge": {"challenge": challenge}, "token": {"token": code}}.get(kind, {})
    assert BandwidthMFABackend().authenticate(None, username="ada", **credentials) is None
    assert len(bandwidth.requests) == requests_before
    assert BandwidthMFABackend().authenticate(None, challenge=challenge, token=code) == user


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["another model", "anonymous"])
def test_an_object_that_is_not_a_user_of_the_site_is_refused(
    user: Any, bandwidth: Any, kind: str
) -> None:
    """Fails when only the primary key is checked: an object of another model would use the codes
    and end the sessions of the user with the same key."""
    codes = give_recovery_codes(user)
    stranger: Any = Group(pk=user.pk, name="x") if kind == "another model" else AnonymousUser()
    for use in (
        lambda: service.use_recovery_code(stranger, codes[0]),
        lambda: service.issue_recovery_codes(stranger),
        lambda: service.require_new_code(stranger),
        lambda: service.end_sessions(stranger),
        lambda: service.send_code(stranger),
    ):
        with pytest.raises((TypeError, ValueError, ValidationError)):
            use()
    assert RecoveryCode.objects.left(user) == 10
    assert not Counter.objects.exists()
    assert bandwidth.inbox == []


def test_a_verification_on_a_lazy_user_is_found_and_counts_once(user: Any) -> None:
    """``login(request, request.user)``.  Fails when the app searches the ``__dict__`` of the lazy
    object: the login needs a second code, and the verification stays for a later login."""
    lazy = SimpleLazyObject(lambda: user)
    verification = Verification(user, "sms", verified_at=timezone.now())
    carry(lazy, verification)
    assert pop_from(lazy) == verification
    assert pop_from(lazy) is None
    assert pop_from(user) is None
