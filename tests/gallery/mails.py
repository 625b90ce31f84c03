"""The mails that the site has sent during the visits, with one picture of each kind."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

from playwright.sync_api import Browser

from tests.pseudo_language import ROOT, untranslated

from .looks import Examiner, Look, Result

KINDS = sorted(
    path.stem
    for path in (ROOT / "django_bandwidth_mfa/templates/bandwidth_mfa/mail").glob("[!_]*.txt")
)


def read_mails(folder: Path) -> Iterator[EmailMessage]:
    """Yield the mails that Django's file backend has written."""
    for file in sorted(folder.iterdir()):
        for text in re.split(rb"\n-{79}\n", file.read_bytes()):
            if text.strip():
                message = email.message_from_bytes(text.lstrip(), policy=email.policy.default)
                assert isinstance(message, EmailMessage)
                yield message


def language_of(html: str) -> str:
    match = re.search(r'<html lang="([^"]+)"', html)
    assert match, html[:200]
    return match[1]


def examine_mails(
    browser: Browser, examiner: Examiner, folder: Path, looks: list[Look]
) -> Iterator[Result]:
    """Examine the newest mail with each subject, in each language."""
    newest: dict[tuple[str, str], EmailMessage] = {}
    for message in read_mails(folder):
        html = part(message, "html")
        newest[language_of(html).lower(), without_numbers(message["Subject"])] = message
    for look in looks:
        if not look.javascript:
            continue
        language = look.page_language
        mails = [mail for (name, _), mail in newest.items() if name == language]
        for message in sorted(mails, key=lambda mail: str(mail["Subject"])):
            yield examine_mail(browser, examiner, look, message)
        if len(mails) < len(KINDS):
            result = Result(f"mails in {look.name}", "")
            result.problems.append(f"{len(mails)} kinds of mail came, of {len(KINDS)}")
            yield result


def examine_mail(browser: Browser, examiner: Examiner, look: Look, message: EmailMessage) -> Result:
    result = Result(f"mail: {message['Subject']}", f"To read in {look.name}.")
    context = browser.new_context(locale=look.language)
    page = context.new_page()
    page.set_content(part(message, "html"))
    # A mail is a page of its own: its title is its subject.
    examiner.examine(page, Look(look.name, look.language, look.shots), result)
    context.close()
    if look.is_pseudo:
        name = str(message["To"]).partition("@")[0]
        site = re.compile(r"\[127\.0\.0\.1:\d+\]")
        for text in (str(message["Subject"]), part(message, "plain"), part(message, "html")):
            lines = "".join(f"<p>{line}</p>" for line in site.sub("", text).splitlines())
            texts = untranslated(lines if "<html" not in text else site.sub("", text), data=(name,))
            result.problems += [f"not translated: {one!r}" for one in texts]
    return result


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    content: str = body.get_content()
    return content


def without_numbers(text: str) -> str:
    return re.sub(r"\d+", "", text)
