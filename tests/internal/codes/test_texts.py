"""The text that contains a code: who may write it, its language, and what it must contain."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import translation
from django.utils.functional import lazystr
from django.utils.translation import gettext_lazy

from django_bandwidth_mfa import service
from django_bandwidth_mfa.models import Challenge, Counter, Phone
from tests.conftest import NUMBER, OTHER_NUMBER

pytestmark = pytest.mark.django_db

TRANSLATED = gettext_lazy("Your {NAME} {SCOPE} code is {CODE}")


@pytest.fixture(autouse=True)
def no_cooldown(bandwidth: Any, configure: Any) -> None:
    configure(RESEND_COOLDOWN=[0])


def sent(bandwidth: Any) -> dict[str, Any]:
    """Return the body of the last request to Bandwidth."""
    body: dict[str, Any] = bandwidth.requests[-1]["body"]
    return body


def signed(user: Any, purpose: str, channel: str) -> str:
    return f"{user.username}, {purpose} by {channel}: {{CODE}}"


def in_the_language_of_the_page(user: Any, purpose: str, channel: str) -> Any:
    return TRANSLATED


def of_the_page(user: Any, purpose: str, channel: str) -> str:
    return str(TRANSLATED)


def broken(user: Any, purpose: str, channel: str) -> str:
    raise LookupError(user.email)


def nothing(user: Any, purpose: str, channel: str) -> None:
    return None


def without_code(user: Any, purpose: str, channel: str) -> str:
    return f"{user.email} has no code"


def without_user(user: Any, purpose: str, channel: str) -> str:
    return "Code {CODE}"


def endless(user: Any, purpose: str, channel: str) -> str:
    return "{CODE}" + "x" * 2043


# Its language -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("purpose", "text", "scope"),
    [
        ("login", "Su código de inicio de sesión de Example es ", "sign-in"),
        ("step-up", "Su código de confirmación de Example es ", "confirmation"),
        ("enrol", "Su código de teléfono nuevo de Example es ", "new phone"),
    ],
)
def test_a_message_is_in_the_language_of_the_page_and_its_scope_is_not(
    user: Any, bandwidth: Any, purpose: str, text: str, scope: str
) -> None:
    """Fails when the scope in the request to Bandwidth is translated: a code that was sent in one
    language would not pass in another language."""
    phone = None
    if purpose == "enrol":
        phone = Phone.objects.create(user=user, number=OTHER_NUMBER)
    with translation.override("es"):
        challenge = service.send_code(user, purpose=purpose, phone=phone)
    assert bandwidth.inbox[0]["text"] == text + bandwidth.inbox[0]["code"]
    assert sent(bandwidth)["scope"] == scope
    with translation.override("en"):
        assert service.verify_code(challenge, bandwidth.inbox[0]["code"]).passed


def test_in_english_bandwidth_fills_in_the_scope(user: Any, bandwidth: Any) -> None:
    service.send_code(user)
    assert sent(bandwidth)["message"] == "Your {NAME} {SCOPE} code is {CODE}"


def test_a_bound_scope_is_translated_too(user: Any, bandwidth: Any, configure: Any) -> None:
    configure(BIND_CODES=True)
    with translation.override("es"):
        service.send_code(user)
    assert "inicio de sesión" in bandwidth.inbox[0]["text"]
    assert sent(bandwidth)["scope"].startswith("sign-in-")


def test_speech_is_english_unless_the_site_says_otherwise(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when the default text of a call is Spanish: Bandwidth's voice would read it as
    English."""
    configure(SEND_LIMITS={"user": "", "number": ""})
    with translation.override("es"):
        service.send_code(user, channel="voice")
        assert bandwidth.inbox[0]["text"].startswith("Your Example sign-in code is ")
        configure(MESSAGE={"sms": "SMS {CODE}"})
        service.send_code(user, channel="voice")
        assert bandwidth.inbox[0]["text"].startswith("Your Example sign-in code is ")
        configure(MESSAGE={"voice": TRANSLATED})
        service.send_code(user, channel="voice")
        assert bandwidth.inbox[0]["text"].startswith("Su código de inicio de sesión ")


@pytest.mark.parametrize(
    "message",
    ["Your {SCOPE} code is {CODE}", gettext_lazy("Your {SCOPE} code is {CODE}")],
    ids=["plain", "without a translation"],
)
def test_a_text_in_one_language_keeps_its_scope_in_that_language(
    user: Any, bandwidth: Any, configure: Any, message: Any
) -> None:
    """Fails when the scope is translated in a text that is not: one sentence would mix two
    languages."""
    configure(MESSAGE=message)
    with translation.override("es"):
        service.send_code(user)
    assert bandwidth.inbox[0]["text"].startswith("Your sign-in code is ")


def test_a_scope_of_the_sites_own_is_never_translated(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(SCOPES={"login": "Anmeldung"})
    with translation.override("es"):
        service.send_code(user)
    assert bandwidth.inbox[0]["text"].startswith("Su código de Anmeldung ")


# Its writer -------------------------------------------------------------------------------------


def test_each_channel_has_its_text(user: Any, bandwidth: Any, configure: Any) -> None:
    configure(MESSAGE={"sms": "Text {CODE}", "voice": lazystr("Speech {CODE}")})
    service.send_code(user)
    service.send_code(user, channel="voice")
    assert [one["text"].split()[0] for one in bandwidth.inbox] == ["Speech", "Text"]


@pytest.mark.parametrize("message", [signed, "tests.internal.codes.test_texts.signed"])
def test_a_function_writes_it(user: Any, bandwidth: Any, configure: Any, message: Any) -> None:
    configure(MESSAGE=message)
    service.send_code(user, channel="voice")
    assert sent(bandwidth)["message"] == "ada, login by voice: {CODE}"


@pytest.mark.parametrize("message", [of_the_page, in_the_language_of_the_page])
def test_what_a_function_writes_is_in_the_language_of_the_page(
    user: Any, bandwidth: Any, configure: Any, message: Any
) -> None:
    configure(MESSAGE=message)
    with translation.override("es"):
        service.send_code(user)
    assert bandwidth.inbox[0]["text"].startswith("Su código de inicio de sesión ")


@pytest.mark.parametrize(
    ("message", "error_text"),
    [
        (broken, "raised LookupError"),
        (nothing, "must be a text that contains {CODE}"),
        (without_code, "must be a text that contains {CODE}"),
        (endless, "must have at most 2048 characters"),
        ({"sms": "no code"}, "must be a text that contains {CODE}"),
        (lazystr("no code"), "must be a text that contains {CODE}"),
        ("tests.nothing.here", "No module named"),
    ],
)
def test_a_text_that_cannot_carry_a_code_is_an_error_before_anything_is_counted(
    user: Any, bandwidth: Any, configure: Any, message: Any, error_text: str
) -> None:
    """Fails when the text is checked after the count: a wrong setting would use up the sends of
    users. The error goes into logs, so it shows no data of the user."""
    configure(MESSAGE=message)
    with pytest.raises(ImproperlyConfigured) as caught:
        service.send_code(user)
    assert 'BANDWIDTH_MFA["MESSAGE"]' in str(caught.value)
    assert error_text in str(caught.value)
    assert "ada@example.com" not in str(caught.value)
    assert NUMBER not in str(caught.value)
    assert not Challenge.objects.exists()
    assert not Counter.objects.exists()
    assert bandwidth.requests == []


# The last line -----------------------------------------------------------------------------------


@pytest.mark.parametrize("message", ["Code {CODE}", lazystr("Code {CODE}"), without_user])
def test_a_text_message_ends_with_the_line_that_binds_it_to_the_site(
    user: Any, bandwidth: Any, configure: Any, message: Any
) -> None:
    """Fails when the line is also added to a call: the voice would read it aloud."""
    configure(ORIGIN="bank.example", MESSAGE=message)
    challenge = service.send_code(user)
    code = bandwidth.inbox[0]["code"]
    assert bandwidth.inbox[0]["text"] == f"Code {code}\n@bank.example #{code}"
    # People paste the whole message, too.
    assert service.verify_code(challenge, bandwidth.inbox[0]["text"]).passed
    service.send_code(user, channel="voice")
    assert sent(bandwidth)["message"] == "Code {CODE}"


def test_the_last_line_is_no_code_for_people(user: Any, bandwidth: Any, configure: Any) -> None:
    """Fails when the check of the text includes its last line, which always contains {CODE}."""
    configure(ORIGIN="bank.example", MESSAGE=without_code)
    with pytest.raises(ImproperlyConfigured, match="must be a text that contains"):
        service.send_code(user)
    assert bandwidth.requests == []


def test_a_text_with_its_last_line_is_never_longer_than_bandwidth_takes(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    line = "\n@bank.example #{CODE}"
    configure(ORIGIN="bank.example", MESSAGE="{CODE}".ljust(2048 - len(line), "x"))
    service.send_code(user)
    assert len(sent(bandwidth)["message"]) == 2048
    configure(MESSAGE="{CODE}".ljust(2049 - len(line), "x"))
    with pytest.raises(ImproperlyConfigured, match="at most 2048 characters"):
        service.send_code(user)
    assert Challenge.objects.count() == 1
