"""Logins of clients without cookies: a ticket for the password, a completion for the code."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import signals
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.sessions.models import Session
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.utils import timezone

from django_bandwidth_mfa import service
from django_bandwidth_mfa.exceptions import TicketInvalid
from django_bandwidth_mfa.internal.codes import provider
from django_bandwidth_mfa.internal.login import tickets
from django_bandwidth_mfa.models import Challenge, Counter, Phone, RecoveryCode, SpentCode
from django_bandwidth_mfa.signals import login_completed
from tests.browsing import give_password, wrong
from tests.conftest import NUMBER, OTHER_NUMBER, PASSWORD, make_user

from .calls import API, TicketClient, ask_ticket, error_of, get, newest_code, post

pytestmark = pytest.mark.django_db

START = 1_800_000_000
NEW_NUMBER = "+12025550188"


@pytest.fixture
def app(user: Any, bandwidth: Any) -> TicketClient:
    """A client whose user has given the password, and has to give a code."""
    return TicketClient(ask_ticket(user).json()["ticket"])


class CountingHasher(MD5PasswordHasher):
    """Counts how often a password is hashed."""

    algorithm = "counting"
    calls = 0

    def encode(self, password: str, salt: str) -> str:
        CountingHasher.calls += 1
        encoded: str = super().encode(password, salt)
        return encoded


class RefusingBackend:
    """A backend that refuses every login, as a lockout app's backend may do."""

    def authenticate(self, request: Any, **credentials: Any) -> None:
        raise PermissionDenied


def assert_no_session(*answers: Any) -> None:
    for answer in answers:
        assert not answer.cookies, answer.cookies
    assert Session.objects.count() == 0


def note_signals(*kinds: Any) -> tuple[list[Any], Any]:
    """Return a list, and a context during which each signal is added to the list."""
    heard: list[Any] = []

    class Listening:
        def note(self, signal: Any, **kwargs: Any) -> None:
            heard.append((signal, kwargs))

        def __enter__(self) -> list[Any]:
            for kind in kinds:
                kind.connect(self.note)
            return heard

        def __exit__(self, *args: object) -> None:
            for kind in kinds:
                kind.disconnect(self.note)

    return heard, Listening()


# The whole login ----------------------------------------------------------------------------------


def test_a_login_by_ticket_from_the_password_to_the_completion(user: Any, bandwidth: Any) -> None:
    heard, listening = note_signals(
        signals.user_logged_in, signals.user_login_failed, login_completed
    )
    with listening:
        first = ask_ticket(user)
        data = first.json()
        assert (data["state"], data["needs"], data["completion"]) == ("parked", "code", None)
        assert bandwidth.inbox == []
        app = TicketClient(data["ticket"])
        sent = post(app, "send")
        assert sent.json()["code"]["challenge"]["number"] == "••42"
        assert sent.json()["ticket"] is None
        passed = post(app, "verify", code=newest_code(bandwidth))
        data = passed.json()
        assert (data["state"], data["method"], data["code"]) == ("verified", "sms", None)
        assert data["verified_at"]
        assert heard == []
        done = service.redeem_completion(data["completion"])
    assert (done.user, done.method) == (user, "sms")
    assert done.backend == "django.contrib.auth.backends.ModelBackend"
    assert done.phone == Phone.objects.get().choice
    assert done.verified_at is not None
    assert abs(done.verified_at.timestamp() - time.time()) < 5
    assert [(signal, kwargs["method"]) for signal, kwargs in heard] == [(login_completed, "sms")]
    assert_no_session(first, sent, passed)


def test_a_recovery_code_completes_it_too(app: TicketClient, user: Any) -> None:
    codes = service.issue_recovery_codes(user)
    answer = post(app, "recovery-code", recovery_code=codes[0][::-1])
    assert error_of(answer) == (400, "wrong_recovery_code")
    data = post(app, "recovery-code", recovery_code=codes[0]).json()
    assert (data["method"], data["recovery_codes"]["left"]) == ("recovery_code", 9)
    done = service.redeem_completion(data["completion"])
    assert (done.method, done.phone) == ("recovery_code", None)


def test_a_user_who_needs_no_code_gets_a_completion_at_once(newcomer: Any, bandwidth: Any) -> None:
    data = ask_ticket(newcomer).json()
    assert (data["state"], data["ticket"], data["needs"]) == ("exempt", None, None)
    done = service.redeem_completion(data["completion"])
    assert (done.user, done.method, done.verified_at) == (newcomer, None, None)


def test_the_first_phone_completes_the_login_of_a_user_who_must_have_one(
    newcomer: Any, bandwidth: Any, configure: Any
) -> None:
    configure(REQUIRED="all")
    data = ask_ticket(newcomer).json()
    assert data["needs"] == "phone"
    app = TicketClient(data["ticket"])
    assert error_of(post(app, "send")) == (403, "phone_required")
    assert post(app, "phones/add", number=NEW_NUMBER).json()["phone"]["number"] == "••88"
    assert get(app, "phones/pending").json()["challenge"]["number"] == "••88"
    answer = post(app, "phones/confirm", code=newest_code(bandwidth))
    data = answer.json()
    assert (data["state"], data["method"]) == ("verified", "sms")
    assert service.redeem_completion(data["completion"]).user == newcomer
    assert Phone.objects.get().confirmed_at is not None
    assert_no_session(answer)


def test_a_client_with_a_ticket_can_read_the_state(app: TicketClient, bandwidth: Any) -> None:
    answer = get(app, "state")
    data = answer.json()
    assert (data["state"], data["csrf_token"], data["ticket"]) == ("parked", None, None)
    assert data["code"]["trust_days"] == 0
    assert NUMBER not in answer.content.decode()
    assert bandwidth.inbox == []
    assert_no_session(answer)


def test_a_site_issues_a_ticket_itself(user: Any, bandwidth: Any) -> None:
    """A site with its own login view, for example without user names, can issue a ticket."""
    ticket = service.issue_ticket(user, backend="django.contrib.auth.backends.ModelBackend")
    assert get(TicketClient(ticket), "state").json()["state"] == "parked"


# The password -------------------------------------------------------------------------------------


@pytest.mark.standard("V6.3.8")
@pytest.mark.attack("T19")
def test_an_unknown_user_and_a_wrong_password_are_answered_alike_after_equal_work(
    user: Any, bandwidth: Any, settings: Any
) -> None:
    """Fails when the view looks for the user before it checks the password.

    The answer for an unknown user would then need no hash, and its time would show who is a
    customer.
    """
    settings.PASSWORD_HASHERS = ["tests.api.test_tickets.CountingHasher"]
    user.set_password(PASSWORD)
    user.save()
    inactive = make_user("inactive", OTHER_NUMBER, is_active=False)
    answers = []
    heard, listening = note_signals(signals.user_login_failed)
    with listening:
        for name in (user.get_username(), "nobody", inactive.get_username()):
            CountingHasher.calls = 0
            answer = post(Client(), "login", username=name, password="wrong")
            assert error_of(answer) == (401, "wrong_credentials")
            answers.append((answer.content, dict(answer.headers), CountingHasher.calls))
    assert answers[0] == answers[1] == answers[2]
    # Lockout apps count all three failures.
    assert [kwargs["credentials"]["username"] for _, kwargs in heard] == [
        user.get_username(),
        "nobody",
        inactive.get_username(),
    ]
    assert all(kwargs["request"] is not None for _, kwargs in heard)


def test_the_right_password_of_an_inactive_user_gets_the_same_answer(
    user: Any, bandwidth: Any, settings: Any
) -> None:
    """Fails when the view trusts the backend alone: this backend accepts inactive users."""
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    wrong_password = ask_ticket(user, "wrong")
    user.is_active = False
    user.save()
    answer = ask_ticket(user)
    assert error_of(answer) == (401, "wrong_credentials")
    assert answer.content == wrong_password.content


def test_a_backend_that_refuses_a_login_is_obeyed(user: Any, settings: Any) -> None:
    """Fails when the view does not use the site's backends: a lockout would have no effect."""
    settings.AUTHENTICATION_BACKENDS = [
        "tests.api.test_tickets.RefusingBackend",
        "django.contrib.auth.backends.ModelBackend",
    ]
    assert error_of(ask_ticket(user)) == (401, "wrong_credentials")


def test_a_name_is_read_as_djangos_form_reads_it(user: Any, bandwidth: Any) -> None:
    answer = post(Client(), "login", username=" ａda ", password=PASSWORD)
    assert answer.json()["ticket"]


def test_a_refusal_names_the_scheme(user: Any) -> None:
    """An answer with the status 401 names its scheme, as RFC 9110, section 15.5.2 requires."""
    assert ask_ticket(user, "wrong")["WWW-Authenticate"] == "MFA-Ticket"
    assert get(TicketClient("x"), "state")["WWW-Authenticate"] == "MFA-Ticket"


@pytest.mark.attack("T7", "T9")
def test_a_password_and_a_ticket_are_in_no_error_report(user: Any, settings: Any, rf: Any) -> None:
    """Fails without the filter: a frame of Django's own backend holds the password.

    It also fails when the ticket is in a header whose name Django does not treat as secret.
    """
    from django.views.debug import ExceptionReporter

    from django_bandwidth_mfa.api.login import LoginView

    settings.AUTHENTICATION_BACKENDS = ["tests.api.test_tickets.NoSuchBackend"]
    # Joined at run time, since a report shows lines of this file.
    password = "-".join(["pa55", "w0rd"])
    body = {"username": "ada", "password": password}
    ticket = "-".join(["a", "ticket"])
    header = {"Authorization": f"MFA-Ticket {ticket}"}
    request = rf.post("/", body, content_type="application/json", headers=header)
    request.session = {}
    try:
        LoginView.as_view()(request)
    except ImportError as error:
        report = ExceptionReporter(request, type(error), error, error.__traceback__)
    for page in (report.get_traceback_text(), report.get_traceback_html()):
        assert password not in page
        assert ticket not in page
        assert "NoSuchBackend" in page


# What a ticket cannot do --------------------------------------------------------------------------

READS = ("phones", "phones/pending", "recovery-codes", "browsers")
CHANGES: dict[str, dict[str, Any]] = {
    "phones/add": {"number": NEW_NUMBER},
    "phones/resend": {},
    "phones/confirm": {"code": "123456"},
    "recovery-codes": {},
    "browsers/forget": {},
    "browsers/1/forget": {},
    "sign-out-others": {},
    "phones/{phone}/primary": {},
    "phones/{phone}/channel": {"channel": "voice"},
    "phones/{phone}/rename": {"name": "mine"},
    "phones/{phone}/remove": {},
}


@pytest.mark.attack("P41")
def test_a_ticket_reads_and_changes_nothing(app: TicketClient, user: Any, bandwidth: Any) -> None:
    """Fails when a view for signed-in users accepts a ticket in place of a session."""
    phone = Phone.objects.get()
    for address in READS:
        assert error_of(get(app, address)) == (403, "code_required")
    for address, body in CHANGES.items():
        answer = post(app, address.format(phone=phone.choice), **body)
        assert error_of(answer) == (403, "code_required"), address
    assert [(one.number, one.name, one.channel) for one in Phone.objects.all()] == [
        (NUMBER, "", "")
    ]
    assert not RecoveryCode.objects.exists()
    assert bandwidth.inbox == []


@pytest.mark.attack("P41")
def test_a_ticket_opens_no_page(app: TicketClient) -> None:
    for page in ("/account/", "/secret/", "/verified/", "/admin/", "/mfa/phones/", "/mfa/verify/"):
        assert app.get(page).status_code == 302, page
    assert app.get("/whoami/").json()["user"] == "AnonymousUser"


@pytest.mark.attack("P41")
def test_a_ticket_is_no_completion_and_a_completion_is_no_ticket(
    app: TicketClient, user: Any, bandwidth: Any
) -> None:
    """Fails when both are signed with one salt: the password alone would be enough to sign in."""
    with pytest.raises(TicketInvalid):
        service.redeem_completion(app.ticket)
    post(app, "send")
    completion = post(app, "verify", code=newest_code(bandwidth)).json()["completion"]
    assert error_of(get(TicketClient(completion), "state")) == (401, "ticket_invalid")


@pytest.mark.attack("P41")
def test_a_ticket_of_one_purpose_is_invalid_for_another(user: Any) -> None:
    """Fails when the signature does not cover the purpose."""
    ticket = tickets.new_ticket(user, "django.contrib.auth.backends.ModelBackend")
    assert tickets.read(tickets.text_of(ticket))[1] == user
    with pytest.raises(TicketInvalid):
        tickets.read(tickets.text_of(ticket, "step-up"))


@pytest.mark.attack("P41")
def test_a_request_with_a_ticket_and_a_cookie_is_refused(app: TicketClient, user: Any) -> None:
    """Fails when the API silently uses one of the two: they may belong to different users."""
    browser = Client()
    give_password(browser, make_user("bob", OTHER_NUMBER))
    header = {"Authorization": f"MFA-Ticket {app.ticket}"}
    assert error_of(get(browser, "state", **header)) == (400, "cookie_and_ticket")
    assert error_of(post(browser, "send", header)) == (400, "cookie_and_ticket")
    answer = post(browser, "login", username="ada", password=PASSWORD)
    assert error_of(answer) == (400, "cookie_and_ticket")


@pytest.mark.attack("P41")
def test_a_ticket_is_read_only_from_its_header(app: TicketClient) -> None:
    """Fails when the API reads a ticket from the URL, which logs and browser histories keep."""
    client = Client()
    for name in ("ticket", "Authorization", "authorization", "mfa_ticket"):
        assert client.get(f"{API}state", {name: app.ticket}).json()["state"] == "anonymous"
        client.cookies[name] = app.ticket
    assert get(client, "state").json()["state"] == "anonymous"
    answer = post(Client(), "send", {"Authorization": f"Bearer {app.ticket}"})
    assert error_of(answer) == (401, "sign_in_required")


def test_tickets_hold_no_secret(app: TicketClient, user: Any, bandwidth: Any) -> None:
    """Fails when a ticket holds the hash to which Django binds sessions."""
    post(app, "send")
    code = newest_code(bandwidth)
    completion = post(app, "verify", code=code).json()["completion"]
    for text, salt in (
        (app.ticket, "bandwidth_mfa.ticket.login"),
        (completion, "bandwidth_mfa.completion"),
    ):
        held = str(signing.loads(text, salt=salt))
        assert user.get_session_auth_hash() not in held
        assert user.password not in held
        assert NUMBER not in held
        assert re.search(rf"(?<!\d){code}(?!\d)", held) is None


# What ends a ticket -------------------------------------------------------------------------------

ENDS = {
    "a new password": lambda user: (user.set_password("another"), user.save()),
    "a deactivation": lambda user: type(user).objects.update(is_active=False),
    "a removal": lambda user: type(user).objects.filter(pk=user.pk).delete(),
    "signing out everywhere": service.end_sessions,
    "a new code for everybody": service.require_new_code,
}


@pytest.mark.attack("P42")
@pytest.mark.parametrize("end", ENDS)
def test_a_ticket_ends_with_its_login(user: Any, bandwidth: Any, end: str) -> None:
    """Fails for each of these events when ``tickets.read`` does not check for it."""
    with time_machine.travel(START, tick=False) as clock:
        app = TicketClient(ask_ticket(user).json()["ticket"])
        post(app, "send")
        code = newest_code(bandwidth)
        clock.shift(1)
        ENDS[end](user)
        clock.shift(1)
        assert error_of(post(app, "verify", code=code)) == (401, "ticket_invalid")
        assert error_of(get(app, "state")) == (401, "ticket_invalid")


@pytest.mark.attack("P42", "P21")
@pytest.mark.parametrize("end", [*ENDS, "a cancel"])
def test_a_login_that_ends_during_the_call_to_bandwidth_gets_no_completion(
    user: Any, bandwidth: Any, monkeypatch: Any, end: str
) -> None:
    """Fails when the view checks the ticket only before it calls Bandwidth, and not after."""
    with time_machine.travel(START, tick=False) as clock:
        app = TicketClient(ask_ticket(user).json()["ticket"])
        post(app, "send")
        code = newest_code(bandwidth)
        clock.shift(1)
        ask = provider.verify

        def end_meanwhile(*args: Any) -> bool:
            is_right = ask(*args)
            if end == "a cancel":
                post(app, "cancel")
            else:
                ENDS[end](user)
            return is_right

        monkeypatch.setattr(provider, "verify", end_meanwhile)
        answer = post(app, "verify", code=code)
    assert answer.status_code in (400, 401, 409), answer.content
    assert "completion" not in answer.json()
    error_of(answer)


@pytest.mark.attack("P42")
@pytest.mark.parametrize("seconds", [-10, 601])
def test_an_old_ticket_is_invalid(user: Any, bandwidth: Any, seconds: int) -> None:
    """A ticket from the future is invalid, too.  Fails when the view does not check the age."""
    with time_machine.travel(START, tick=False) as clock:
        app = TicketClient(ask_ticket(user).json()["ticket"])
        clock.shift(599)
        assert get(app, "state").status_code == 200
        clock.move_to(START + seconds)
        assert error_of(get(app, "state")) == (401, "ticket_invalid")


@pytest.mark.attack("P42")
def test_a_ticket_is_used_up_by_the_right_code(
    app: TicketClient, user: Any, bandwidth: Any
) -> None:
    """Fails when a used ticket stays valid: a later code would sign in without the password."""
    post(app, "send")
    post(app, "verify", code=newest_code(bandwidth))
    assert error_of(get(app, "state")) == (401, "ticket_invalid")
    with time_machine.travel(timezone.now() + timedelta(seconds=60)):
        assert error_of(post(app, "send")) == (401, "ticket_invalid")


@pytest.mark.attack("P42")
def test_a_ticket_is_used_up_by_a_cancel(app: TicketClient, bandwidth: Any) -> None:
    answer = post(app, "cancel")
    assert answer.json()["state"] == "anonymous"
    assert error_of(post(app, "send")) == (401, "ticket_invalid")
    assert error_of(post(app, "cancel")) == (401, "ticket_invalid")
    assert_no_session(answer)


@pytest.mark.attack("P42")
@pytest.mark.parametrize(
    "forged", ["", "x", "a:b:c", "ü", "{ticket}x", "x{ticket}", "{head}", ".{ticket}", "a" * 4000]
)
def test_a_forged_ticket_is_refused(app: TicketClient, forged: str) -> None:
    head = app.ticket.rpartition(":")[0]
    text = forged.format(ticket=app.ticket, head=head)
    assert error_of(get(TicketClient(text), "state")) == (401, "ticket_invalid")


@pytest.mark.attack("P42")
def test_a_ticket_of_one_user_cannot_be_changed_to_another_user(
    app: TicketClient, user: Any
) -> None:
    """Fails when the signature is not checked."""
    bob = make_user("bob", OTHER_NUMBER)
    held = signing.loads(app.ticket, salt="bandwidth_mfa.ticket.login")
    forged = signing.dumps(
        {**held, "user": str(bob.pk)}, key="guessed", salt="bandwidth_mfa.ticket.login"
    )
    assert error_of(get(TicketClient(forged), "state")) == (401, "ticket_invalid")
    # Even with the right key, the digest is that of another user's password.
    signed = signing.dumps({**held, "user": str(bob.pk)}, salt="bandwidth_mfa.ticket.login")
    assert error_of(get(TicketClient(signed), "state")) == (401, "ticket_invalid")


def test_a_backend_that_the_site_has_dropped_ends_its_tickets(
    app: TicketClient, settings: Any
) -> None:
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    assert error_of(get(app, "state")) == (401, "ticket_invalid")


def test_a_new_secret_key_ends_no_ticket_while_the_old_key_is_a_fallback(
    app: TicketClient, settings: Any
) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "new"
    assert get(app, "state").status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert error_of(get(app, "state")) == (401, "ticket_invalid")


# Codes with a ticket ------------------------------------------------------------------------------


@pytest.mark.attack("P43")
def test_parallel_tickets_share_the_challenge_and_the_counters(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when each ticket has its own challenge or its own counters.

    Each new ticket would then allow five more tries and one more code.
    """
    configure(FAILURES_BEFORE_WAIT=3)
    first, second = (TicketClient(ask_ticket(user).json()["ticket"]) for _ in range(2))
    post(first, "send")
    code = newest_code(bandwidth)
    assert error_of(post(second, "send")) == (429, "limited")
    assert Challenge.objects.count() == 1
    for app in (first, second, first):
        assert error_of(post(app, "verify", code=wrong(code))) == (400, "wrong_code")
    assert error_of(post(second, "verify", code=code)) == (429, "limited")
    browser = Client()
    give_password(browser, user)
    assert error_of(post(browser, "verify", code=code)) == (429, "limited")
    assert len(bandwidth.inbox) == 1


@pytest.mark.attack("P43")
def test_a_code_makes_one_login_also_with_two_tickets(user: Any, bandwidth: Any) -> None:
    """Fails when the app does not record used codes in ``SpentCode``."""
    first, second = (TicketClient(ask_ticket(user).json()["ticket"]) for _ in range(2))
    post(first, "send")
    code = newest_code(bandwidth)
    assert post(first, "verify", code=code).status_code == 200
    assert error_of(post(second, "verify", code=code)) == (409, "code_used")
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        post(second, "send")
        assert error_of(post(second, "verify", code=code)) == (400, "wrong_code")


@pytest.mark.attack("P43")
def test_a_stolen_ticket_sends_within_the_limits_and_gets_no_further(
    app: TicketClient, user: Any, bandwidth: Any
) -> None:
    """Fails when a ticket can choose the number, or counts as a second factor."""
    theirs = make_user("thief", OTHER_NUMBER)
    phone = Phone.objects.get(user=theirs)
    assert error_of(post(app, "send", phone=phone.choice)) == (404, "no_such_phone")
    assert error_of(post(app, "phones/add", number=NEW_NUMBER)) == (403, "code_required")
    service.send_code(theirs)
    code = newest_code(bandwidth)
    assert error_of(post(app, "verify", code=code)) == (409, "code_expired")
    codes = service.issue_recovery_codes(theirs)
    answer = post(app, "recovery-code", recovery_code=codes[0])
    assert error_of(answer) == (400, "wrong_recovery_code")
    post(app, "send")
    assert error_of(post(app, "send")) == (429, "limited")


@pytest.mark.attack("P43")
def test_a_wrong_code_is_told_to_lockout_apps(app: TicketClient, bandwidth: Any) -> None:
    heard, listening = note_signals(signals.user_login_failed)
    with listening:
        post(app, "send")
        post(app, "verify", code=wrong(newest_code(bandwidth)))
    assert [kwargs["credentials"] for _, kwargs in heard] == [
        {"username": "ada", "token": "********"}
    ]


def test_an_outage_of_bandwidth_leaves_the_ticket_valid(app: TicketClient, bandwidth: Any) -> None:
    bandwidth.fault(on="messaging", status=500, times=1)
    assert error_of(post(app, "send")) == (503, "provider_unavailable")
    post(app, "send")
    code = newest_code(bandwidth)
    bandwidth.fault(on="verify", status=500, times=1)
    answer = post(app, "verify", code=code)
    assert error_of(answer) == (503, "provider_unavailable")
    assert_no_session(answer)
    assert post(app, "verify", code=code).json()["state"] == "verified"


@pytest.mark.attack("G11")
@pytest.mark.django_db(transaction=True)
def test_atomic_requests_rolls_no_count_back(bandwidth: Any) -> None:
    """Fails when the views are not non_atomic_requests: counting raises instead of counting."""
    user = make_user("ada", NUMBER)
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        app = TicketClient(ask_ticket(user).json()["ticket"])
        post(app, "send")
        code = newest_code(bandwidth)
        assert error_of(post(app, "verify", code=wrong(code))) == (400, "wrong_code")
        assert Challenge.objects.get().tries == 1
        assert post(app, "verify", code=code).json()["state"] == "verified"
        assert error_of(get(app, "state")) == (401, "ticket_invalid")
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False


def test_a_site_that_asks_for_a_login_everywhere_lets_tickets_through(
    user: Any, bandwidth: Any, settings: Any
) -> None:
    """Fails without ``login_not_required``: the answer is a redirect to the login page."""
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    app = TicketClient(ask_ticket(user).json()["ticket"])
    assert post(app, "send").status_code == 200
    assert app.get(f"{API}openapi.json").status_code == 200
    assert error_of(app.get(f"{API}nothing")) == (404, "not_found")


def test_no_browser_is_trusted_by_a_ticket(
    app: TicketClient, bandwidth: Any, configure: Any
) -> None:
    configure(TRUST_DAYS=30)
    post(app, "send")
    answer = post(app, "verify", code=newest_code(bandwidth), trust=True)
    assert answer.status_code == 200
    assert_no_session(answer)


@pytest.mark.slow
def test_a_login_by_ticket_changes_no_counter_before_a_code(user: Any, bandwidth: Any) -> None:
    for _ in range(3):
        ask_ticket(user, "wrong")
        ask_ticket(user)
    assert Counter.objects.count() == 0


# Completions --------------------------------------------------------------------------------------


def completion_of(user: Any, bandwidth: Any) -> str:
    app = TicketClient(ask_ticket(user).json()["ticket"])
    post(app, "send")
    completion: str = post(app, "verify", code=newest_code(bandwidth)).json()["completion"]
    return completion


@pytest.mark.attack("P44")
def test_a_completion_is_exchanged_once(user: Any, bandwidth: Any) -> None:
    """Fails when the id of the completion stays valid after its exchange."""
    completion = completion_of(user, bandwidth)
    assert service.redeem_completion(completion).user == user
    with pytest.raises(TicketInvalid):
        service.redeem_completion(completion)


@pytest.mark.attack("P44")
@pytest.mark.parametrize("end", ENDS)
def test_a_completion_ends_with_its_login(user: Any, bandwidth: Any, end: str) -> None:
    """Fails for each of these events when the exchange does not check for it."""
    with time_machine.travel(START, tick=False) as clock:
        completion = completion_of(user, bandwidth)
        clock.shift(1)
        ENDS[end](user)
        with pytest.raises(TicketInvalid):
            service.redeem_completion(completion)


@pytest.mark.attack("P44")
def test_a_completion_ends_with_its_phone_and_after_a_minute(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when the exchange does not check the phone or the age of the completion."""
    with time_machine.travel(START, tick=False) as clock:
        completion = completion_of(user, bandwidth)
        clock.shift(60)
        with pytest.raises(TicketInvalid):
            service.redeem_completion(completion)
        completion = completion_of(user, bandwidth)
        Phone.objects.all().delete()
        with pytest.raises(TicketInvalid):
            service.redeem_completion(completion)


@pytest.mark.attack("P44")
@pytest.mark.parametrize("text", ["", "x", "a:b:c", "ü", "\ud800"])
def test_a_forged_completion_is_refused(text: str) -> None:
    with pytest.raises(TicketInvalid):
        service.redeem_completion(text)


def test_used_ids_are_purged_when_their_tickets_have_expired(user: Any, bandwidth: Any) -> None:
    """Fails when a used id is forgotten while its ticket would still count."""
    from django.core.management import call_command

    with time_machine.travel(START, tick=False) as clock:
        app = TicketClient(ask_ticket(user).json()["ticket"])
        post(app, "cancel")
        clock.shift(599)
        call_command("mfa_purge", verbosity=0)
        assert error_of(get(app, "state")) == (401, "ticket_invalid")
        clock.shift(10)
        call_command("mfa_purge", verbosity=0)
    assert not SpentCode.objects.exists()
