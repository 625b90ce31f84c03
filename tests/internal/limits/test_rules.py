"""What is limited, and for whom."""

from __future__ import annotations

from typing import Any

import pytest

from django_bandwidth_mfa import service
from django_bandwidth_mfa.exceptions import Limited, ProviderUnavailable
from django_bandwidth_mfa.internal.codes import sending
from django_bandwidth_mfa.internal.limits import rules
from django_bandwidth_mfa.models import Counter, Phone
from tests.accounts.models import NamedUser
from tests.browsing import wrong
from tests.conftest import NUMBER, OTHER_NUMBER, make_user

pytestmark = pytest.mark.django_db


HOUR = 3600


def send_until_limited(clock: Any, user: Any, **kwargs: Any) -> int:
    """How many codes go out, an hour's worth at most, cooldowns waited for."""
    for sent in range(30):
        try:
            service.send_code(user, **kwargs)
        except Limited:
            return sent
        clock.shift(241)
    return 30


def test_a_user_is_sent_five_codes_an_hour_and_not_more(
    clock: Any, user: Any, bandwidth: Any
) -> None:
    assert send_until_limited(clock, user) == 5
    Phone.objects.create(user=user, number=OTHER_NUMBER, confirmed_at="2026-01-01T00:00:00Z")
    assert send_until_limited(clock, user, phone=OTHER_NUMBER) == 0
    clock.shift(HOUR)
    assert send_until_limited(clock, user) == 5


@pytest.mark.attack("S6")
def test_a_call_weighs_two(clock: Any, user: Any, bandwidth: Any) -> None:
    assert send_until_limited(clock, user, channel="voice") == 2


@pytest.mark.attack("S3")
def test_a_number_is_sent_ten_codes_a_day_whoever_asks(clock: Any, bandwidth: Any) -> None:
    sent = 0
    for hour in range(6):
        sent += send_until_limited(clock, make_user(f"user{hour}", NUMBER))
        clock.shift(HOUR)
    assert sent == 10


@pytest.mark.attack("S12")
def test_enrolling_a_number_takes_nothing_from_signing_in_with_it(
    clock: Any, user: Any, bandwidth: Any
) -> None:
    """Fails when both count under one key: a stranger could lock the number's owner out."""
    stranger = make_user("stranger")
    theirs = Phone.objects.create(user=stranger, number=NUMBER)
    assert send_until_limited(clock, stranger, purpose="enrol", phone=theirs) == 5
    assert not Counter.objects.filter(key__startswith="send:number:").exists()
    assert send_until_limited(clock, user) == 5
    assert Counter.objects.filter(key__startswith="send:number:").exists()


@pytest.mark.attack("S1")
def test_the_cooldown_grows_and_a_right_code_ends_it(clock: Any, user: Any, bandwidth: Any) -> None:
    for step in (30, 60, 120):
        service.send_code(user)
        with pytest.raises(Limited) as refused:
            service.send_code(user)
        assert refused.value.retry_after == step
        assert sending.seconds_until_send(user, NUMBER, purpose="login") == step
        clock.shift(step)
    challenge = service.send_code(user)
    assert service.verify_code(challenge, bandwidth.inbox[0]["code"])
    service.send_code(user)


@pytest.mark.attack("G12")
def test_a_right_code_gives_back_no_sends(clock: Any, user: Any, bandwidth: Any) -> None:
    """Fails when a right code clears more than failures and cooldown."""
    for _ in range(5):
        assert service.verify_code(service.send_code(user), bandwidth.inbox[0]["code"])
    with pytest.raises(Limited):
        service.send_code(user)


@pytest.mark.parametrize(
    ("limits", "channel"),
    [
        ({"user": "2/h"}, "sms"),
        ({"number": "2/h,3/d"}, "sms"),
        ({"number": "9/h,2/d"}, "sms"),
        ({"address": "2/h"}, "sms"),
        ({"site": "2/h"}, "sms"),
        ({"user": "3/h"}, "voice"),
        ({"user": "1/h"}, "voice"),
        ({"prefix": "2/h"}, "sms"),
    ],
)
def test_the_wait_that_is_told_is_the_wait_of_the_refusal(
    clock: Any, user: Any, bandwidth: Any, configure: Any, rf: Any, limits: Any, channel: str
) -> None:
    """Fails when one of the limits is not asked, and when a call does not weigh more."""
    configure(SEND_LIMITS=limits, RESEND_COOLDOWN=[0])
    if "prefix" in limits:
        configure(GET_PHONES=lambda user: [NUMBER])
    request = rf.get("/", REMOTE_ADDR="198.51.100.7")

    def wait() -> int:
        return sending.seconds_until_send(
            user, NUMBER, purpose="login", channel=channel, request=request
        )

    def refusal() -> int:
        try:
            service.send_code(user, channel=channel, request=request)
        except Limited as error:
            return error.retry_after
        return 0

    for _ in range(3):
        before = list(Counter.objects.order_by("key").values())
        told = wait()
        assert list(Counter.objects.order_by("key").values()) == before
        assert refusal() == told
        clock.shift(7)
    assert told > 0
    clock.shift(24 * HOUR)
    assert wait() == (HOUR if limits == {"user": "1/h"} else 0)


def test_a_refused_send_counts_nothing(clock: Any, user: Any, bandwidth: Any) -> None:
    service.send_code(user)
    before = list(Counter.objects.order_by("key").values())
    with pytest.raises(Limited):
        service.send_code(user)
    assert list(Counter.objects.order_by("key").values()) == before


def test_an_outage_spends_nobodys_hour(clock: Any, user: Any, bandwidth: Any) -> None:
    bandwidth.fault(on="messaging", status=503)
    for _ in range(12):
        with pytest.raises(ProviderUnavailable):
            service.send_code(user)
    bandwidth.clear_faults()
    assert send_until_limited(clock, user) == 5


@pytest.mark.attack("S7")
def test_an_address_and_the_site_have_limits_of_their_own(
    clock: Any, bandwidth: Any, configure: Any, rf: Any
) -> None:
    configure(SEND_LIMITS={"address": "2/h", "site": "4/h"})
    users = [make_user(f"user{n}", f"+1202555010{n}") for n in range(6)]
    request = rf.get("/", REMOTE_ADDR="198.51.100.7")
    for someone in users[:2]:
        service.send_code(someone, request=request)
    with pytest.raises(Limited):
        service.send_code(users[2], request=request)
    elsewhere = rf.get("/", REMOTE_ADDR="198.51.100.8")
    for someone in users[2:4]:
        service.send_code(someone, request=elsewhere)
    with pytest.raises(Limited):
        service.send_code(users[4])


def enrol(number: str) -> None:
    """Somebody new asks for a code to a number that nobody has proven."""
    stranger = make_user(f"stranger{number}")
    phone = Phone.objects.create(user=stranger, number=number)
    service.send_code(stranger, purpose="enrol", phone=phone)


@pytest.mark.attack("S4")
def test_a_range_that_is_walked_through_gets_thirty_codes_an_hour(
    clock: Any, bandwidth: Any
) -> None:
    """Fails without the prefix counter: each number, user and address is within its own limit."""
    for n in range(30):
        enrol(f"+12025550{n * 33:03}")
    with pytest.raises(Limited) as refused:
        enrol("+12025550999")
    assert refused.value.retry_after == HOUR
    enrol("+12025551100")
    clock.shift(HOUR)
    enrol("+12025550998")


@pytest.mark.attack("S12")
def test_strangers_who_enrol_my_number_cannot_have_bandwidth_refuse_it(
    clock: Any, user: Any, bandwidth: Any
) -> None:
    """Fails when tries to enrol are not counted for the number: each stranger has tries of their
    own, and Bandwidth's 429 for the number would keep its owner out."""
    waits = []
    for n in range(4):
        stranger = make_user(f"stranger{n}")
        phone = Phone.objects.create(user=stranger, number=NUMBER)
        challenge = service.send_code(stranger, purpose="enrol", phone=phone)
        for _ in range(4):
            try:
                assert not service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
            except Limited as limit:
                waits.append(limit.retry_after)
    assert waits == [600] * (4 * 4 - 5)
    assert service.verify_code(service.send_code(user), bandwidth.inbox[0]["code"])
    clock.shift(600)
    challenge = service.send_code(stranger, purpose="enrol", phone=phone)
    assert service.verify_code(challenge, bandwidth.inbox[0]["code"])


def test_phones_of_one_company_that_are_proven_sign_in_at_nine(
    clock: Any, bandwidth: Any, configure: Any
) -> None:
    configure(SEND_LIMITS={"prefix": "2/h"})
    colleagues = [make_user(f"user{n}", f"+1202555010{n}") for n in range(5)]
    for someone in colleagues:
        service.send_code(someone)
    assert len(bandwidth.inbox) == 5


def test_numbers_that_the_site_keeps_itself_are_not_taken_for_proven(
    clock: Any, bandwidth: Any, configure: Any
) -> None:
    configure(SEND_LIMITS={"prefix": "2/h"}, GET_PHONES=lambda user: [user.email.split("@")[0]])
    users = [make_user(f"+1202555010{n}") for n in range(3)]
    for someone in users[:2]:
        service.send_code(someone)
    with pytest.raises(Limited):
        service.send_code(users[2])


@pytest.mark.attack("T14")
def test_no_counter_shows_a_number_or_an_address(user: Any, bandwidth: Any, rf: Any) -> None:
    service.send_code(user, request=rf.get("/", REMOTE_ADDR="198.51.100.7"))
    keys = " ".join(Counter.objects.values_list("key", flat=True))
    assert NUMBER[1:] not in keys
    assert "198.51" not in keys


def test_a_number_that_is_held_twice_is_one_number() -> None:
    """Fails when rows are counted: one number may be held for several actions."""
    for action in rules.HeldAction:
        rules.hold(NUMBER, action, "login", 60)
        rules.hold(NUMBER, action, "enrol", 60)
    rules.hold(OTHER_NUMBER, rules.HeldAction.SEND, "login", 60)
    rules.hold("+12025550199", rules.HeldAction.SEND, "login", -1)
    assert rules.count_held() == 2


def test_users_whose_primary_keys_look_alike_are_counted_apart() -> None:
    """Fails on MariaDB when the text itself stands in the key: it takes all of these for one."""
    users = [NamedUser(name=name) for name in ("ada", "ADA", "ada ", "áda")]
    for place, user in enumerate(users):
        for _ in range(place):
            rules.take_failure(user)
    assert [rules.count_failures(user) for user in users] == [0, 1, 2, 3]


def test_a_primary_key_as_long_as_a_counters_key_is_counted() -> None:
    """Fails on PostgreSQL and MariaDB when the text itself stands in the key: a key has room for
    190 characters, its kind included."""
    user = NamedUser(name="a" * 190)
    rules.take_failure(user)
    assert rules.count_failures(user) == 1


def test_the_locked_are_found_by_number(user: Any, configure: Any) -> None:
    configure(FAILURES_BEFORE_LOCK=1)
    make_user("eve")
    rules.take_failure(user)
    assert rules.locked_users() == [str(user.pk)]


def test_the_locked_are_found_by_a_text(settings: Any, configure: Any) -> None:
    """Fails when the digest in the key is taken for the primary key."""
    settings.AUTH_USER_MODEL = "accounts.NamedUser"
    configure(FAILURES_BEFORE_LOCK=1)
    ada = NamedUser.objects.create(name="ada")
    NamedUser.objects.create(name="eve")
    rules.take_failure(ada)
    assert rules.locked_users() == ["ada"]
