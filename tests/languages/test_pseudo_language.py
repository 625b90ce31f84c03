"""All texts for users can be translated: in a pseudo-language, no text stays English."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.utils import translation

from django_bandwidth_mfa import exceptions
from django_bandwidth_mfa.api.errors import ERRORS
from django_bandwidth_mfa.internal.codes import texts
from django_bandwidth_mfa.internal.notify import delivery_errors, events
from django_bandwidth_mfa.internal.notify.mail import notify
from django_bandwidth_mfa.models import Phone, SecondFactor
from django_bandwidth_mfa.simulator import Simulator

from ..browsing import give_password, let_in, wrong
from ..conftest import NUMBER, OTHER_NUMBER, WRONG_RECOVERY_CODE, give_recovery_codes, make_user
from ..pseudo_language import (
    LEFT_TO_RIGHT,
    compile_pairs,
    pseudo,
    read_compiled,
    untranslated,
    write_catalogues,
)

pytestmark = pytest.mark.django_db

# Names of people, of the site, and of phones.  They are not translated.
DATA = ("ada", "newcomer", "testserver", "example.com", "Example")


@pytest.fixture(autouse=True)
def pseudo_language(settings: Any, tmp_path: Path) -> Iterator[None]:
    """The whole site is in the pseudo-language."""
    write_catalogues(tmp_path)
    settings.LOCALE_PATHS = [str(tmp_path)]
    settings.LANGUAGES = [(LEFT_TO_RIGHT, "Pseudo")]
    settings.LANGUAGE_CODE = LEFT_TO_RIGHT
    with translation.override(LEFT_TO_RIGHT):
        yield


def english(text: object) -> list[str]:
    """Return the texts in ``text``, a line or a page, that are not in the pseudo-language."""
    page = str(text)
    return untranslated(page if "<" in page else f"<p>{escape(page)}</p>", data=DATA)


def test_what_is_not_translated_is_found() -> None:
    """The detector finds an English word beside a translation, and an English attribute."""
    shown = pseudo("Send me a %(thing)s code") % {"thing": "nice"}
    assert english(f"<p>{shown}</p>") == []
    assert english(f"<p>{shown} now</p>") == [f"{shown} now"]
    assert english('<img alt="A phone">') == ["A phone"]
    assert english("<p>+1 202-555-0123, 3:07 a.m.</p>") == []
    assert english(f"<p>{pseudo('after')} <b>{pseudo('this')}</b></p>") == []


def test_a_pseudo_text_is_longer_and_keeps_its_placeholders() -> None:
    text = 'We will call <bdi dir="ltr">%(number)s</bdi> in %(count)d minutes: {CODE} '
    changed = pseudo(text)
    for kept in ('<bdi dir="ltr">', "%(number)s", "</bdi>", "%(count)d", "{CODE}"):
        assert kept in changed
    assert changed.endswith("⟧ ")
    assert len(pseudo("confirmation")) > 1.4 * len("confirmation")


def test_a_catalogue_that_is_written_is_read() -> None:
    pairs = [("", "Language: x\n"), ("context\4one\0many", "uno\0muchos"), ("é", "è")]
    assert read_compiled(compile_pairs(pairs)) == pairs


# Pages ------------------------------------------------------------------------------------------


def pages(client: Any, bandwidth: Simulator, configure: Any) -> Iterator[tuple[str, Any]]:
    """Visit the pages, and yield the name and the answer of each."""
    configure(TRUST_DAYS=30, DEFAULT_REGION="US", RESEND_COOLDOWN=[30], RECEIPT_SECRET="s" * 32)
    ada = make_user("ada", NUMBER, OTHER_NUMBER)
    codes = give_recovery_codes(ada)
    give_password(client, ada)
    yield "sent", client.get("/mfa/verify/")
    code = bandwidth.inbox[0]["code"]
    yield "no code", client.post("/mfa/verify/", {"code": ""}, follow=True)
    yield "malformed", client.post("/mfa/verify/", {"code": "12"}, follow=True)
    yield "wrong", client.post("/mfa/verify/", {"code": wrong(code)}, follow=True)
    yield "cooldown", client.post("/mfa/send/", {"channel": "sms"}, follow=True)
    yield "no such phone", client.post("/mfa/send/", {"phone": "0"}, follow=True)
    for fault in ({"status": 503}, {"drop": True}):
        bandwidth.fault(on="verify", times=1, **fault)
        yield f"verify {fault}", client.post("/mfa/verify/", {"code": code}, follow=True)
    yield "recovery", client.get("/mfa/recovery-code/")
    for typed in ("", "12", WRONG_RECOVERY_CODE):
        answer = client.post("/mfa/recovery-code/", {"recovery_code": typed}, follow=True)
        yield f"recovery {typed}", answer
    client.post("/mfa/recovery-code/", {"recovery_code": codes[0]})
    yield "phones, and how many codes are left", client.get("/mfa/phones/")

    let_in(client, ada)
    first, second = Phone.objects.filter(user=ada).order_by("-is_primary")
    for path in ("phones/", "phones/add/", "browsers/", "recovery-codes/", "suggestion/"):
        yield path, client.get(f"/mfa/{path}")
    for change in ("remove", "primary"):
        yield change, client.get(f"/mfa/phones/{change}/?phone={second.choice}")
    for channel in ("sms", "voice"):
        query = {"phone": second.choice, "channel": channel}
        yield f"{channel}?", client.get("/mfa/phones/channel/", query)
        yield channel, client.post("/mfa/phones/channel/", query, follow=True)
    yield "replace", client.get(f"/mfa/phones/add/?phone={second.choice}")
    yield "name", client.post("/mfa/phones/", {"phone": first.choice, "name": "n" * 41})
    yield "primary", client.post("/mfa/phones/primary/", {"phone": second.choice}, follow=True)
    for number in ("", "12", "+19005550123", "+88213300000"):
        yield f"number {number}", client.post("/mfa/phones/add/", {"number": number}, follow=True)
    yield "new", client.post("/mfa/phones/add/", {"number": "+12125550147"}, follow=True)
    yield "codes", client.post("/mfa/recovery-codes/")
    yield "codes not saved", client.post("/mfa/recovery-codes/saved/", follow=True)
    # These forms end the verified sessions.
    yield "removed", client.post("/mfa/phones/remove/", {"phone": first.choice}, follow=True)
    yield "elsewhere", client.post("/mfa/sign-out-others/", follow=True)

    client.logout()
    SecondFactor.objects.filter(user=ada).update(failures=100)
    give_password(client, ada)
    yield "locked", client.get("/mfa/verify/")
    client.logout()
    configure(REQUIRED="all")
    newcomer = make_user("newcomer")
    give_password(client, newcomer)
    yield "first", client.get("/mfa/phones/add/")
    yield "confirm", client.post("/mfa/phones/add/", {"number": "+12125550148"}, follow=True)
    configure(GET_PHONES=f"{__name__}.no_phones")
    yield "no phone", client.get("/mfa/phones/add/")


def no_phones(user: Any) -> list[str]:
    return []


def test_each_page_is_translated(client: Any, bandwidth: Simulator, configure: Any) -> None:
    """Fails when a text of a page has no ``translate`` tag."""
    problems: dict[str, list[str]] = {}
    looked_at = 0
    for name, answer in pages(client, bandwidth, configure):
        page = answer.content.decode()
        looked_at += 1
        assert "⟦" in page, f"{name}: {answer.status_code} {page[:200]}"
        if texts := english(page):
            problems[name] = texts
    assert problems == {}
    assert looked_at >= 40


# Mails, messages, text messages -----------------------------------------------------------------


@pytest.mark.parametrize("event", [one.name for one in events.EVENTS.values() if one.is_mailed])
def test_each_mail_is_translated(user: Any, event: str) -> None:
    for forget_phones in (True, False):
        notify(
            user, event, phone=user.bandwidth_mfa_phones.get(), many=2, forget_phones=forget_phones
        )
    assert len(mail.outbox) == 2
    for message in mail.outbox:
        subject = message.subject.partition("] ")[2] or message.subject
        page, _ = message.alternatives[0]
        lines = [line for line in str(message.body).splitlines() if line]
        assert [one for text in (subject, *lines, page) for one in english(text)] == []


def subclasses(kind: type[exceptions.MFAError]) -> Iterator[type[exceptions.MFAError]]:
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


LIMITS = (*exceptions.Limited.reasons, "site", "prefix", "country", "tries", "provider")


def test_each_error_is_translated() -> None:
    messages = [str(exceptions.Limited(wait, limit)) for limit in LIMITS for wait in (1, 300, 9000)]
    messages += [str(exceptions.Busy(1))]
    messages += [
        str(kind())
        for kind in subclasses(exceptions.MFAError)
        if not issubclass(kind, exceptions.Limited | exceptions.Busy)
    ]
    messages += [str(kind.message) for kind in ERRORS.values()]
    messages += [
        str(sentence)
        for can_call in (True, False)
        for has_other_phone in (True, False)
        for row in delivery_errors.ERRORS.values()
        for sentence in row.texts_for_user(can_call=can_call, has_other_phone=has_other_phone)
    ]
    assert [one for text in messages for one in english(text)] == []
    assert len(messages) > 150


@pytest.mark.parametrize("purpose", ["login", "step-up", "enrol"])
def test_the_text_message_is_translated_and_the_call_is_english(user: Any, purpose: str) -> None:
    text = texts.write(user, purpose=purpose, channel="sms")
    assert english(text.replace("{NAME}", "").replace("{CODE}", "")) == []
    assert "{CODE}" in text
    assert "⟦" not in texts.write(user, purpose=purpose, channel="voice")
