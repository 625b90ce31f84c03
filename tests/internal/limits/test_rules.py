"""Which limits exist, and to whom they apply."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from django_bandwidth_mfa import service
from django_bandwidth_mfa.exceptions import ChallengeUsed, Limited, Locked, ProviderUnavailable
from django_bandwidth_mfa.internal.codes import sending
from django_bandwidth_mfa.internal.limits import rules, store
from django_bandwidth_mfa.models import Challenge, Counter, Phone, SecondFactor
from tests.accounts.models import NamedUser
from tests.browsing import wrong
from tests.conftest import NUMBER, OTHER_NUMBER, make_user

pytestmark = pytest.mark.django_db


HOUR = 3600


NO_LIMITS = dict.fromkeys(("user", "number", "prefix", "address", "site"), "")
NO_CEILINGS = dict.fromkeys(("user", "number", "prefix", "address", "country", "site"), "")


@pytest.fixture
def no_cooldown(configure: Any) -> None:
    configure(RESEND_COOLDOWN=[0])


def send_until_limited(user: Any, **kwargs: Any) -> int:
    """Return how many codes can be sent at once. The cooldown is off."""
    for sent in range(40):
        try:
            service.send_code(user, **kwargs)
        except Limited:
            return sent
    return 40


def sign_in(user: Any, bandwidth: Any, **kwargs: Any) -> None:
    """Send a code, and enter it."""
    challenge = service.send_code(user, **kwargs)
    assert service.verify_code(challenge, bandwidth.inbox[0]["code"])


# Codes that are not entered ---------------------------------------------------------------------


@pytest.mark.usefixtures("no_cooldown")
def test_a_user_is_sent_five_codes_at_once_and_then_one_each_twelve_minutes(
    clock: Any, user: Any, bandwidth: Any
) -> None:
    assert send_until_limited(user) == 5
    Phone.objects.create(user=user, number=OTHER_NUMBER, confirmed_at="2026-01-01T00:00:00Z")
    assert send_until_limited(user, phone=OTHER_NUMBER) == 0
    clock.shift(HOUR // 5)
    assert send_until_limited(user) == 1
    with pytest.raises(Limited) as refused:
        service.send_code(user)
    assert (refused.value.limit, refused.value.retry_after) == ("user", HOUR // 5)


@pytest.mark.attack("S6")
@pytest.mark.usefixtures("no_cooldown")
def test_a_call_weighs_two(clock: Any, user: Any, bandwidth: Any) -> None:
    assert send_until_limited(user, channel="voice") == 2


@pytest.mark.attack("S3")
@pytest.mark.usefixtures("no_cooldown")
def test_a_number_is_sent_ten_codes_at_once_and_ten_a_day_by_all_users(
    clock: Any, bandwidth: Any, configure: Any
) -> None:
    configure(SEND_LIMITS={"number": "10/d"})
    users = [make_user(f"user{n}", NUMBER) for n in range(4)]
    assert sum(send_until_limited(one) for one in users) == 10
    with pytest.raises(Limited) as refused:
        service.send_code(users[3])
    assert (refused.value.limit, refused.value.retry_after) == ("number", 24 * HOUR // 10)


@pytest.mark.attack("S12")
@pytest.mark.usefixtures("no_cooldown")
def test_enrolling_a_number_takes_nothing_from_signing_in_with_it(
    clock: Any, user: Any, bandwidth: Any
) -> None:
    """Fails when enrolment and login count under one key: a stranger could lock out the owner of
    the number."""
    stranger = make_user("stranger")
    theirs = Phone.objects.create(user=stranger, number=NUMBER)
    assert send_until_limited(stranger, purpose="enrol", phone=theirs) == 5
    assert send_until_limited(user) == 5


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


# Right codes that are entered -------------------------------------------------------------------


def test_twelve_right_codes_in_an_hour_let_in_twelve_times(
    clock: Any, user: Any, bandwidth: Any
) -> None:
    """Fails when a right code gives back no send: the sixth login in an hour would be refused."""
    for _ in range(12):
        sign_in(user, bandwidth)
        clock.shift(300)


@pytest.mark.slow
def test_thirty_people_behind_one_address_all_get_in(clock: Any, bandwidth: Any, rf: Any) -> None:
    """Fails when a right code gives back nothing to the address: the 21st person in an office would
    have to wait for an hour."""
    request = rf.get("/", REMOTE_ADDR="198.51.100.7")
    for n in range(90):
        sign_in(make_user(f"user{n}", f"+1202555{n + 100:04}"), bandwidth, request=request)


@pytest.mark.attack("G12")
@pytest.mark.usefixtures("no_cooldown")
def test_a_right_code_gives_back_its_own_send_and_no_other(
    clock: Any, user: Any, bandwidth: Any
) -> None:
    """Fails when a right code clears the counters of sends: after five sends and one right code,
    four sends must stay counted."""
    other = make_user("other", OTHER_NUMBER)
    assert send_until_limited(other) == 5
    for _ in range(4):
        service.send_code(user)
    sign_in(user, bandwidth)
    assert send_until_limited(user) == 1
    assert send_until_limited(other) == 0


def test_a_send_is_given_back_once(clock: Any, user: Any, bandwidth: Any, configure: Any) -> None:
    """Fails when the challenge keeps the record of its send: the same code, entered again, would
    give the send back again, although it does not pass."""
    configure(RESEND_COOLDOWN=[0])
    for _ in range(2):
        service.send_code(user)
    challenge = service.send_code(user)
    code = bandwidth.inbox[0]["code"]
    assert service.verify_code(challenge, code)
    stored = Challenge.objects.get(pk=challenge.pk)
    assert stored.taken is None
    for _ in range(3):
        with pytest.raises(ChallengeUsed):
            service.verify_code(stored, code)
    assert send_until_limited(user) == 3


def test_what_has_leaked_out_before_the_code_was_typed_is_not_given_back(
    clock: Any, user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(RESEND_COOLDOWN=[0], SEND_LIMITS={**NO_LIMITS, "user": "60/h"})
    challenge = service.send_code(user)
    clock.shift(61)
    before = list(Counter.objects.filter(key__contains="user-limit").values())
    assert service.verify_code(challenge, bandwidth.inbox[0]["code"])
    assert list(Counter.objects.filter(key__contains="user-limit").values()) == before


# Ceilings ---------------------------------------------------------------------------------------


def test_somebody_who_types_each_code_stops_at_the_ceiling(
    clock: Any, user: Any, bandwidth: Any
) -> None:
    for _ in range(20):
        sign_in(user, bandwidth)
    with pytest.raises(Limited) as refused:
        service.send_code(user)
    assert refused.value.retry_after == HOUR // 20


def fraud(
    bandwidth: Any, region_number: Callable[[int], str], first: int, many: int
) -> Limited | None:
    """Sign in ``many`` users with confirmed numbers, and return the error that stopped them."""
    for n in range(first, first + many):
        try:
            sign_in(make_user(f"user{n}", region_number(n)), bandwidth)
        except Limited as error:
            return error
    return None


@pytest.mark.slow
@pytest.mark.attack("S14")
def test_typing_every_code_to_one_country_stops_at_its_ceiling(
    clock: Any, user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fraudsters earn money with each message, and their programs enter every code. Fails when a
    right code takes a confirmed number out of all counters."""
    configure(SEND_CEILINGS={"country": "20/h"})
    stopped = fraud(bandwidth, lambda n: f"+4479110{n + 10000:05}", 0, 30)
    assert stopped is not None
    assert (stopped.limit, len(bandwidth.inbox)) == ("country", 20)
    sign_in(make_user("germany", "+4915112345678"), bandwidth)
    # The site's own country has no such ceiling.
    sign_in(user, bandwidth)


@pytest.mark.slow
@pytest.mark.attack("S14")
def test_typing_every_code_everywhere_stops_at_the_sites_ceiling(
    clock: Any, bandwidth: Any, configure: Any
) -> None:
    configure(SEND_CEILINGS={"site": "20/h", "country": ""})
    stopped = fraud(bandwidth, lambda n: f"+1202555{n + 100:04}", 0, 30)
    assert stopped is not None
    assert (stopped.limit, len(bandwidth.inbox)) == ("site", 20)


def test_the_sites_own_country_is_that_of_its_settings(
    clock: Any, user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(SEND_CEILINGS={**NO_CEILINGS, "country": "1/h"}, RESEND_COOLDOWN=[0])
    assert send_until_limited(user) == 5  # FROM_NUMBER is of the same country
    configure(DEFAULT_REGION="GB")
    other = make_user("other", OTHER_NUMBER)
    assert send_until_limited(other) == 1


@pytest.mark.attack("S8")
def test_new_accounts_that_enrol_stop_no_login(
    clock: Any, user: Any, bandwidth: Any, configure: Any, rf: Any
) -> None:
    """Fails when enrolments and logins share one limit of the site: many new accounts would lock
    out all users."""
    request = rf.get("/", REMOTE_ADDR="198.51.100.7")
    configure(SEND_LIMITS={"site": "100/h", "prefix": "", "address": "10/h"})
    refused_by = []
    for n in range(20):
        try:
            enrol(f"+1202555{n + 100:04}", request=request)
        except Limited as error:
            refused_by.append(error.limit)
    assert refused_by == ["site"] * 10
    sign_in(user, bandwidth, request=request)


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
def test_the_reported_wait_is_the_wait_of_the_refusal(
    clock: Any, user: Any, bandwidth: Any, configure: Any, rf: Any, limits: Any, channel: str
) -> None:
    """Fails when one of the limits is left out, and when a call counts only once."""
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
        seconds = wait()
        assert list(Counter.objects.order_by("key").values()) == before
        assert refusal() == seconds
        clock.shift(7)
    assert seconds > 0
    clock.shift(24 * HOUR)
    assert wait() == (HOUR if limits == {"user": "1/h"} else 0)


def test_a_refused_send_counts_nothing(clock: Any, user: Any, bandwidth: Any) -> None:
    service.send_code(user)
    before = [*Counter.objects.order_by("key").values(), *SecondFactor.objects.values()]
    with pytest.raises(Limited):
        service.send_code(user)
    assert [*Counter.objects.order_by("key").values(), *SecondFactor.objects.values()] == before


@pytest.mark.slow
def test_an_outage_spends_nobodys_hour(
    clock: Any, user: Any, bandwidth: Any, configure: Any
) -> None:
    bandwidth.fault(on="messaging", status=503)
    for _ in range(12):
        with pytest.raises(ProviderUnavailable):
            service.send_code(user)
    bandwidth.clear_faults()
    assert not Counter.objects.filter(moment__gt=store.now()).exists()
    configure(RESEND_COOLDOWN=[0])
    assert send_until_limited(user) == 5


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


def enrol(number: str, request: Any = None) -> None:
    """Let a new user request a code for a number that no user has confirmed."""
    stranger = make_user(f"stranger{number}")
    phone = Phone.objects.create(user=stranger, number=number)
    service.send_code(stranger, purpose="enrol", phone=phone, request=request)


@pytest.mark.slow
@pytest.mark.attack("S4")
def test_a_range_that_is_walked_through_gets_thirty_codes_an_hour(
    clock: Any, bandwidth: Any
) -> None:
    """Fails without the counter of the prefix: each number, user and address stays within its own
    limit."""
    for n in range(30):
        enrol(f"+12025550{n * 33:03}")
    with pytest.raises(Limited) as refused:
        enrol("+12025550999")
    assert (refused.value.limit, refused.value.retry_after) == ("prefix", HOUR // 30)
    enrol("+12025551100")
    clock.shift(HOUR // 30)
    enrol("+12025550998")


@pytest.mark.attack("S12")
def test_strangers_who_enrol_my_number_cannot_have_bandwidth_refuse_it(
    clock: Any, user: Any, bandwidth: Any
) -> None:
    """Fails when tries to enrol are not counted for the number. Each stranger has separate tries,
    and Bandwidth's answer 429 for the number would lock out its owner."""
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
    assert waits == [120] * (4 * 4 - 5)
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
    """Fails when rows are counted: several actions may reserve one number."""
    for action in rules.HeldAction:
        rules.hold(NUMBER, action, "login", 60)
        rules.hold(NUMBER, action, "enrol", 60)
    rules.hold(OTHER_NUMBER, rules.HeldAction.SEND, "login", 60)
    rules.hold("+12025550199", rules.HeldAction.SEND, "login", -1)
    assert rules.count_held() == 2


@pytest.mark.parametrize("pk", ["ada", "a" * 190, "07b4", "áda"])
def test_keys_are_as_long_for_any_primary_key(user: Any, pk: str) -> None:
    """A key has room for 100 characters, and MariaDB treats ``ada`` and ``ADA`` as equal."""
    keys = [key for one in (pk, pk.upper(), f"{pk} ") for key in keys_of(NamedUser(name=one))]
    assert len({key.casefold() for key in keys}) == len(keys)
    assert max(map(len, keys)) <= 100


def keys_of(user: Any) -> list[str]:
    send = rules.Send(user, NUMBER, "enrol", "sms", is_proven=False, address="198.51.100.7")
    return [limit.key for limit in send.limits if limit.name == "user"]


def test_all_limits_of_a_send_are_locked_in_one_order_the_sites_last(user: Any) -> None:
    """Fails when the shared rows are locked first: every send would wait until other sends are
    complete."""
    send = rules.Send(user, NUMBER, "enrol", "sms", is_proven=False, address="198.51.100.7")
    ordered = sorted([*send.limits, *send.ceilings], key=lambda limit: limit.key)
    names = list(dict.fromkeys(limit.name for limit in ordered))
    assert names == ["user", "number", "prefix", "address", "site"]


def test_locked_users_are_found(user: Any, configure: Any) -> None:
    configure(FAILURES_BEFORE_LOCK=1)
    make_user("eve")
    rules.take_failure(user)
    assert [row.user for row in rules.locked()] == [user]
    assert rules.is_locked(user)


@pytest.mark.attack("G6")
def test_a_locked_user_is_sent_nothing(
    clock: Any, user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(FAILURES_BEFORE_LOCK=1)
    rules.take_failure(user)
    with pytest.raises(Locked):
        service.send_code(user)
    assert bandwidth.inbox == []
