"""A device of django-otp whose codes Bandwidth makes and checks."""

from __future__ import annotations

import pickle
import sys
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client, RequestFactory
from django.utils import timezone
from django.views.debug import ExceptionReporter
from django_otp import match_token, verify_token
from django_otp.forms import OTPAuthenticationForm, OTPTokenForm

from django_bandwidth_mfa import service
from django_bandwidth_mfa.contrib.otp.checks import check_site
from django_bandwidth_mfa.contrib.otp.logins import show_verification
from django_bandwidth_mfa.contrib.otp.middleware import IsVerifiedMiddleware
from django_bandwidth_mfa.contrib.otp.models import BandwidthDevice
from django_bandwidth_mfa.internal.login.mark import MARK
from django_bandwidth_mfa.models import Challenge, Phone, SecondFactor
from django_bandwidth_mfa.signals import phone_confirmed
from django_bandwidth_mfa.testing import login_verified
from tests.browsing import give_password, wrong
from tests.conftest import NUMBER, OTHER_NUMBER, PASSWORD, make_user

pytestmark = pytest.mark.django_db


def code(bandwidth: Any) -> str:
    return str(bandwidth.inbox[0]["code"])


def posted(device: BandwidthDevice, **fields: str) -> dict[str, str]:
    return {
        "username": "ada",
        "password": PASSWORD,
        "otp_device": device.persistent_id,
        "otp_token": "",
        **fields,
    }


def errors(form: Any) -> list[str]:
    return [str(error) for error in form.errors.get("__all__", [])]


def failures(user: Any) -> int:
    """Return how many wrong codes in a row this app has counted."""
    return sum(SecondFactor.objects.filter(user=user).values_list("failures", flat=True))


# Sending --------------------------------------------------------------------------------------


def test_a_challenge_sends_a_code_and_says_where_to(device: Any, bandwidth: Any) -> None:
    assert device.generate_challenge() == "We sent a 6-digit code to your phone ending in 42."
    assert [one["to"] for one in bandwidth.inbox] == [NUMBER]
    device.refresh_from_db()
    challenge = Challenge.objects.get(pk=device.challenge_id)
    assert (challenge.purpose, challenge.user) == ("login", device.user)
    assert device.valid_until == challenge.expires_at


def test_no_table_of_the_device_holds_the_code(device: Any, bandwidth: Any) -> None:
    """Fails when the device keeps the code in django-otp's column ``token``."""
    device.generate_challenge()
    row = BandwidthDevice.objects.values().get()
    assert row["token"] is None
    assert code(bandwidth) not in repr(row)
    with pytest.raises(NotImplementedError):
        device.generate_token()


def test_codes_go_to_the_phone_of_the_device(user: Any, device: Any, bandwidth: Any) -> None:
    second = make_phone(user, OTHER_NUMBER)
    BandwidthDevice.objects.create(user=user, phone=second, name="second").generate_challenge()
    assert bandwidth.inbox[0]["to"] == OTHER_NUMBER


def make_phone(user: Any, number: str) -> Phone:
    return Phone.objects.create(user=user, number=number, confirmed_at=timezone.now())


def test_a_device_sends_to_no_phone_of_somebody_else(device: Any, bandwidth: Any) -> None:
    """Fails when the device sends to ``phone`` without a check of its owner."""
    eve = make_user("eve")
    stolen = BandwidthDevice(user=eve, phone=device.phone, name="stolen")
    device.delete()
    stolen.save()
    assert stolen.generate_challenge() == "There is no such phone on this account."
    assert bandwidth.inbox == []


def test_the_cooldown_and_the_limits_of_this_app_hold(
    device: Any, bandwidth: Any, configure: Any, time_machine: Any
) -> None:
    configure(RESEND_COOLDOWN=[30], SEND_LIMITS={"user": "1/h"})
    now = timezone.now()
    time_machine.move_to(now, tick=False)
    device.generate_challenge()
    assert device.generate_challenge() == "You can get another code in 30 seconds."
    time_machine.move_to(now + timedelta(seconds=31))
    assert "You have asked for too many codes." in device.generate_challenge()
    assert len(bandwidth.inbox) == 1


def test_an_outage_of_bandwidth_is_reported_and_raises_nothing(device: Any, bandwidth: Any) -> None:
    bandwidth.fault(on="messaging", status=500)
    text = "The phone service does not answer right now. Please try again in a moment."
    assert device.generate_challenge() == text
    assert device.challenge_id is None


def test_a_code_that_may_have_been_sent_can_be_typed(
    device: Any, bandwidth: Any, configure: Any
) -> None:
    configure(RESEND_COOLDOWN=[0], READ_TIMEOUT=0.2)
    bandwidth.fault(on="messaging", delay=0.6, times=1)
    assert "does not answer" in device.generate_challenge()
    assert device.challenge_id is not None


# Checking -------------------------------------------------------------------------------------


@pytest.mark.package("django-otp")
@pytest.mark.parametrize("typed", ["as sent", "with spaces", "as a number"])
def test_a_right_code_passes_once(device: Any, bandwidth: Any, typed: str) -> None:
    device.generate_challenge()
    sent = code(bandwidth)
    token: Any = {
        "as sent": sent,
        "with spaces": f"{sent[:3]} {sent[3:]}",
        "as a number": int(sent),
    }[typed]
    assert device.verify_token(token) is True
    assert device.verify_token(token) is False


@pytest.mark.parametrize("token", ["", None, 0, -1, "abc", "12345", "1234567"])
def test_no_other_text_passes(device: Any, bandwidth: Any, token: Any) -> None:
    device.generate_challenge()
    if code(bandwidth) == "000000":
        device.generate_challenge()
    assert device.verify_token(token) is False


def test_a_code_of_another_users_device_does_not_pass(device: Any, bandwidth: Any) -> None:
    """Fails when the challenge is looked up by its key alone."""
    device.generate_challenge()
    eve = make_user("eve", OTHER_NUMBER)
    hers = BandwidthDevice.objects.create(user=eve, challenge_id=device.challenge_id)
    assert hers.verify_token(code(bandwidth)) is False
    assert device.verify_token(code(bandwidth)) is True


def test_no_answer_of_bandwidth_is_not_called_a_wrong_code(device: Any, bandwidth: Any) -> None:
    device.generate_challenge()
    sent = code(bandwidth)
    bandwidth.fault(on="verify", status=500, times=1)
    form = OTPTokenForm(device.user, None, posted(device, otp_token=sent))
    assert errors(form) == [
        "The phone service does not answer right now. Please try again in a moment."
    ]
    bandwidth.fault(on="verify", body='{"valid": "true"}', times=1)
    with pytest.raises(ValidationError):
        verify_token(device.user, device.persistent_id, sent)
    assert device.verify_token(sent) is True


def test_a_form_says_why_no_code_is_checked(device: Any, bandwidth: Any, configure: Any) -> None:
    device.generate_challenge()
    form = OTPTokenForm(device.user, None, posted(device, otp_token=wrong(code(bandwidth))))
    assert errors(form) == ["Invalid token. Please make sure you have entered it correctly."]
    again = OTPTokenForm(device.user, None, posted(device, otp_token=code(bandwidth)))
    assert "1 failed attempt" in errors(again)[0]
    # After django-otp's wait has ended, this app's own text appears.
    BandwidthDevice.objects.update(throttling_failure_count=0)
    configure(RESEND_COOLDOWN=[0], FAILURES_BEFORE_LOCK=1, FAILURES_BEFORE_WAIT=1)
    locked = OTPTokenForm(device.user, None, posted(device, otp_token=code(bandwidth)))
    assert "Codes by phone are switched off for this account" in errors(locked)[0]


def test_an_expired_code_is_called_expired(device: Any, bandwidth: Any, time_machine: Any) -> None:
    device.generate_challenge()
    time_machine.move_to(timezone.now() + timedelta(minutes=4))
    form = OTPTokenForm(device.user, None, posted(device, otp_token=code(bandwidth)))
    assert errors(form) == ["This code has expired. Get a new one."]


def test_a_phone_that_is_removed_takes_its_device_along(device: Any, bandwidth: Any) -> None:
    device.generate_challenge()
    device.phone.delete()
    assert not BandwidthDevice.objects.exists()
    assert device.verify_token(code(bandwidth)) is False
    assert not BandwidthDevice.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.attack("T7")
def test_no_error_report_shows_the_code(device: Any, bandwidth: Any, configure: Any) -> None:
    """Fails with a ``lambda`` in place of ``check``: on PostgreSQL the error report shows the code,
    because no function in that thread masks it."""
    device.generate_challenge()
    sent = code(bandwidth)
    configure(BASE_URL="no address")
    try:
        with transaction.atomic():
            device.verify_token(sent)
    except ValueError:
        kind, error, traceback = sys.exc_info()
    # The frame of this test is left out.
    assert traceback is not None
    reporter = ExceptionReporter(RequestFactory().get("/"), kind, error, traceback.tb_next)
    report = reporter.get_traceback_html() + reporter.get_traceback_text()
    assert "_check" in report
    assert sent not in report


# Which devices there are ----------------------------------------------------------------------


def test_each_phone_that_is_confirmed_becomes_a_device(user: Any) -> None:
    first, second = Phone.objects.get(), make_phone(user, OTHER_NUMBER)
    for phone in (first, second, second):
        phone_confirmed.send(Phone, phone=phone, user=user, request=None)
    devices = BandwidthDevice.objects.order_by("pk")
    # django-two-factor-auth needs one of this name.
    assert [(one.phone, one.name) for one in devices] == [
        (first, "default"),
        (second, second.masked),
    ]
    assert BandwidthDevice.objects.add_missing() == 0


def test_the_site_of_the_tests_passes_the_checks_and_broken_ones_do_not(settings: Any) -> None:
    assert check_site(None) == []
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if "contrib.otp" not in one]
    assert [one.id for one in check_site(None)] == ["bandwidth_mfa_otp.E002"]
    settings.INSTALLED_APPS = [
        *(one for one in settings.INSTALLED_APPS if "contrib.otp" not in one),
        "django_bandwidth_mfa.contrib.otp",
    ]
    ids = [one.id for one in check_site(None)]
    assert ids == ["bandwidth_mfa_otp.E001", "bandwidth_mfa_otp.E002"]
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        ids = [one.id for one in check_site(None)]
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False
    assert ("bandwidth_mfa_otp.E003" in ids) is (connection.vendor == "sqlite")


def test_no_migration_is_missing() -> None:
    call_command("makemigrations", "bandwidth_mfa_otp", check=True, dry_run=True)


# Logins ---------------------------------------------------------------------------------------


def state(client: Client) -> dict[str, Any]:
    content: dict[str, Any] = client.get("/state/").json()
    assert client.get("/astate/").json() == content
    return content


def log_in(client: Client, device: BandwidthDevice, token: str) -> Any:
    return client.post("/otp-login/", posted(device, otp_token=token))


def test_the_login_form_of_django_otp_sends_a_code_and_takes_it(
    device: Any, bandwidth: Any
) -> None:
    """The test does the same as django-otp's own ``test_email_interaction``."""
    form = OTPAuthenticationForm(None, posted(device, otp_challenge="1"))
    assert not form.is_valid()
    assert errors(form) == ["OTP Challenge: We sent a 6-digit code to your phone ending in 42."]
    assert len(bandwidth.inbox) == 1
    form = OTPAuthenticationForm(None, posted(device, otp_token=code(bandwidth)))
    assert form.is_valid(), form.errors
    assert form.get_user().otp_device == device


def test_a_login_with_a_code_of_the_device_owes_no_second_code(
    client: Client, device: Any, bandwidth: Any
) -> None:
    """Fails when the receiver that parks logins does not get the verification."""
    device.generate_challenge()
    assert log_in(client, device, code(bandwidth)).status_code == 302
    assert state(client) == {"verified": True, "state": "verified"}
    assert client.get("/vault/").content == b"the vault"
    assert len(bandwidth.inbox) == 1


@pytest.mark.attack("P55")
def test_a_device_on_the_user_shows_nothing_without_a_code(
    client: Client, device: Any, bandwidth: Any
) -> None:
    """Fails when ``show_verification`` does not check ``verification``: django-two-factor-auth sets
    a device on the user if the browser has a certain cookie."""
    device.user.otp_device = BandwidthDevice.objects.get()
    show_verification(RequestFactory().get("/"), device.user)
    assert "mfa_verification" not in vars(device.user)
    client.force_login(device.user)
    assert state(client)["verified"] is False


def test_one_right_code_makes_one_login(client: Client, device: Any, bandwidth: Any) -> None:
    """Fails when ``show_verification`` leaves the verification on the device."""
    device.generate_challenge()
    form = OTPAuthenticationForm(None, posted(device, otp_token=code(bandwidth)))
    assert form.is_valid()
    kept = form.get_user()
    client.force_login(kept)
    assert state(client)["state"] == "verified"
    another = Client()
    another.force_login(kept)
    assert state(another)["state"] == "parked"


@pytest.mark.parametrize("by", ["our page", "nobody"])
def test_is_verified_tells_of_the_login_on_our_own_page(
    client: Client, device: Any, bandwidth: Any, by: str
) -> None:
    """Fails with a middleware that returns True for every signed-in user."""
    client.post("/accounts/login/", {"username": "ada", "password": PASSWORD})
    client.get("/mfa/verify/")
    assert state(client) == {"verified": False, "state": "parked"}
    assert client.get("/vault/").status_code == 302
    if by == "nobody":
        return
    client.post("/mfa/verify/", {"code": code(bandwidth)})
    assert state(client) == {"verified": True, "state": "verified"}
    assert client.get("/vault/").content == b"the vault"


def test_an_exempt_session_is_not_verified(client: Client, device: Any, configure: Any) -> None:
    configure(REQUIRED="never")
    client.post("/accounts/login/", {"username": "ada", "password": PASSWORD})
    assert state(client) == {"verified": False, "state": "exempt"}
    assert client.get("/vault/").status_code == 302


def test_a_code_within_a_session_changes_its_key(
    client: Client, device: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when ``show_verification`` does not call ``cycle_key``: Django keeps the session key if
    the same user signs in again."""
    configure(REQUIRED="never", RESEND_COOLDOWN=[0])
    client.post("/accounts/login/", {"username": "ada", "password": PASSWORD})
    before = client.session.session_key
    device.generate_challenge()
    assert log_in(client, device, code(bandwidth)).status_code == 302
    assert state(client) == {"verified": True, "state": "verified"}
    assert client.session.session_key != before


def test_is_verified_ends_with_the_phone(
    client: Client, device: Any, bandwidth: Any, configure: Any
) -> None:
    device.generate_challenge()
    log_in(client, device, code(bandwidth))
    assert state(client)["verified"] is True
    service.require_new_code(device.user)
    device.phone.delete()
    configure(RECHECK_SECONDS=0)
    assert state(client)["verified"] is False


@pytest.mark.parametrize("page", ["/twice/", "/atwice/"])
@pytest.mark.parametrize("session", ["none", "parked", "without a mark"])
def test_a_visitor_who_is_not_let_in_can_be_asked_about_twice(
    client: Client, user: Any, session: str, page: str
) -> None:
    """Fails when the first use of ``request.user`` leaves a user without ``is_verified`` in the
    request: each page that reads the user twice would be an error for every visitor who is not
    signed in."""
    if session == "parked":
        give_password(client, user)
    elif session == "without a mark":
        # A session from before the app was installed has no mark.
        login_verified(client, user)
        store = client.session
        del store[MARK]
        store.save()
    assert set(client.get(page).json()) == {False}


def test_a_user_with_is_verified_can_be_pickled(client: Client, device: Any) -> None:
    request: Any = RequestFactory().get("/")
    request.user, request.auser = device.user, None
    device.user.otp_device = None
    IsVerifiedMiddleware(lambda request: None)(request)  # type: ignore[arg-type,return-value]
    assert callable(request.user.is_verified)
    copy = pickle.loads(pickle.dumps(request.user))  # noqa: S301
    assert copy.is_verified() is False


def test_the_admin_site_of_django_otp_opens_for_both_logins(
    client: Client, bandwidth: Any, configure: Any
) -> None:
    configure(RESEND_COOLDOWN=[0])
    make_user("root", NUMBER, is_staff=True, is_superuser=True)
    BandwidthDevice.objects.add_missing()
    device = BandwidthDevice.objects.get()
    assert client.get("/otp-admin/").status_code == 302
    device.generate_challenge()
    form = {**posted(device, otp_token=code(bandwidth)), "username": "root"}
    assert client.post("/otp-admin/login/?next=/otp-admin/", form).status_code == 302
    assert client.get("/otp-admin/").status_code == 200

    ours = Client()
    ours.post("/accounts/login/", {"username": "root", "password": PASSWORD})
    assert ours.get("/otp-admin/").status_code == 302
    ours.get("/mfa/verify/")
    ours.post("/mfa/verify/", {"code": code(bandwidth)})
    assert ours.get("/otp-admin/").status_code == 200
    assert "bandwidthdevice" in ours.get("/admin/").content.decode()
    assert (
        ours.get(f"/admin/bandwidth_mfa_otp/bandwidthdevice/{device.pk}/change/").status_code == 200
    )


# Transactions ---------------------------------------------------------------------------------


on_real_transactions = pytest.mark.django_db(transaction=True)


@on_real_transactions
@pytest.mark.attack("G11")
def test_a_wrong_code_stays_counted_in_the_transaction_of_django_otp(
    device: Any, bandwidth: Any
) -> None:
    """Fails with a ``counted`` that has neither ``within_transaction`` nor a separate connection:
    it raises an error, and then no code passes."""
    device.generate_challenge()
    sent = code(bandwidth)
    assert verify_token(device.user, device.persistent_id, wrong(sent)) is None
    assert failures(device.user) == 1
    BandwidthDevice.objects.update(throttling_failure_count=0)
    form = OTPTokenForm(device.user, None, posted(device, otp_token=wrong(sent)))
    assert not form.is_valid()
    assert failures(device.user) == 2
    assert Challenge.objects.get().tries == 2
    BandwidthDevice.objects.update(throttling_failure_count=0)
    assert match_token(device.user, sent) == device
    assert failures(device.user) == 0


@on_real_transactions
@pytest.mark.attack("G11")
def test_a_rollback_around_django_otp_gives_no_try_back(device: Any, bandwidth: Any) -> None:
    """Fails when a try is counted in the caller's transaction on each database. On PostgreSQL and
    MariaDB the count has a separate connection, and stays. SQLite allows no second writer, so no
    code is tried there."""
    device.generate_challenge()
    sent = code(bandwidth)
    asked = len(bandwidth.requests)

    class LaterError(Exception):
        pass

    def try_and_fail() -> None:
        with transaction.atomic():
            verify_token(device.user, device.persistent_id, wrong(sent))
            raise LaterError

    if connection.vendor == "sqlite":
        with pytest.raises(RuntimeError, match="SQLite"):
            try_and_fail()
        assert len(bandwidth.requests) == asked
    else:
        with pytest.raises(LaterError):
            try_and_fail()
        assert failures(device.user) == 1
        assert Challenge.objects.get().tries == 1


@on_real_transactions
def test_no_counter_is_locked_while_bandwidth_is_asked_on_a_server(
    device: Any, bandwidth: Any, configure: Any
) -> None:
    """While django-otp's transaction is open, another user gets a code without a wait. Fails on
    PostgreSQL when the send counts in django-otp's transaction: that locks the row of the limit
    ``site`` until the transaction ends."""
    if connection.vendor == "sqlite":
        # SQLite allows one writer at a time, as the documentation says.
        return
    other = make_user("grace", OTHER_NUMBER)
    done = threading.Event()

    def send_to_other() -> None:
        try:
            service.send_code(other)
            done.set()
        finally:
            connection.close()

    with transaction.atomic():
        device.generate_challenge()
        thread = threading.Thread(target=send_to_other)
        thread.start()
        assert done.wait(10)
    thread.join()


@on_real_transactions
def test_two_connections_that_wait_for_each_other_come_to_an_end(
    device: Any, bandwidth: Any, configure: Any
) -> None:
    """This can happen when the phone is removed at that moment. The database sees no deadlock,
    because one of the two sides is a thread that waits. Without a time limit for the wait, this
    test does not end on PostgreSQL."""
    if connection.vendor == "sqlite":
        # SQLite has no second connection here.
        return
    device.generate_challenge()
    configure(TOTAL_TIMEOUT=0.5, WAIT_SECONDS=0.5)
    sent = code(bandwidth)
    with transaction.atomic():
        SecondFactor.objects.select_for_update().get(user=device.user)
        form = OTPTokenForm(device.user, None, posted(device, otp_token=sent))
        assert errors(form) == ["The code could not be checked. Please try again."]
    for thread in threading.enumerate():
        if thread.name == "bandwidth_mfa_otp":
            thread.join()
    # The waiting thread has tried the code in the end, so the code is now used.
    assert Challenge.objects.get().passed_at is not None
    assert device.verify_token(sent) is False


@on_real_transactions
@pytest.mark.attack("G1")
def test_of_concurrent_right_codes_one_passes(device: Any, bandwidth: Any) -> None:
    """The test does the same as django-otp's own ``ConcurrencyTestCase``, with eight threads."""
    device.generate_challenge()
    sent = code(bandwidth)
    passed: list[bool] = []

    def try_it() -> None:
        try:
            passed.append(verify_token(device.user, device.persistent_id, sent) is not None)
        except ValidationError:
            passed.append(False)
        finally:
            connection.close()

    threads = [threading.Thread(target=try_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(passed) == [False] * 7 + [True]
    assert Challenge.objects.get().passed_at is not None
