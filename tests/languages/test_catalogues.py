"""The program that checks the translations reports each kind of mistake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polib
import pytest

from .. import catalogues
from ..catalogues import Length, length_of, merge, problems_of, problems_of_entry

TAGGED = 'We will call <bdi dir="ltr">%(number)s</bdi>.'


def entry(msgid: str, msgstr: str = "", **fields: Any) -> polib.POEntry:
    return polib.POEntry(msgid=msgid, msgstr=msgstr, **fields)


def forms(*texts: str, flags: tuple[str, ...] = ()) -> polib.POEntry:
    return polib.POEntry(
        msgid="%(count)d minute",
        msgid_plural="%(count)d minutes",
        msgstr_plural=dict(enumerate(texts)),
        flags=list(flags),
    )


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (entry("Cancel"), "is not translated"),
        (entry("Cancel", " "), "is not translated"),
        (entry("Cancel", "Abbrechen", flags=["fuzzy"]), "is fuzzy"),
        (entry("Hello %(name)s", "Hallo"), "has other placeholders (%(name)s)"),
        (entry("Hello %(name)s", "Hallo %(nam)s"), "has other placeholders (%(name)s, %(nam)s)"),
        (entry("Hello %s", "Hallo %s %s"), "has other placeholders (%s)"),
        (entry("{NAME} {CODE}", "{NAME} {CÓDIGO}"), "has other placeholders ({CODE})"),
        (entry(TAGGED, "Anruf: %(number)s."), "has other HTML tags"),
        (entry(TAGGED, 'Anruf: <bdi dir="rtl">%(number)s</bdi>'), "has other HTML tags"),
        (entry("Cancel", "Abbrechen "), "begins or ends with other space"),
        (entry("en", "nl", msgctxt="code of this language"), "must be the language"),
        (entry("a\n", "b"), "begins or ends with other space"),
        (forms("%(count)d Minute"), "must have 2 plural forms"),
        (forms("%(count)d Minute", ""), "is not translated in plural form 1"),
        (forms("%(count)d Minute", "Minuten"), "has other placeholders (%(count)d) in plural form"),
    ],
)
def test_a_mistake_is_found(wrong: polib.POEntry, problem: str) -> None:
    reported = list(problems_of_entry("de", wrong))
    assert any(problem in one for one in reported), reported


@pytest.mark.parametrize(
    ("code", "right"),
    [
        ("de", entry("Cancel", "Abbrechen")),
        ("pt_BR", entry("en", "pt-BR", msgctxt="code of this language")),
        ("de", entry(TAGGED, 'Anruf: <bdi dir="ltr">%(number)s</bdi>.')),
        ("de", forms("eine Minute", "%(count)d Minuten")),
        # Of the forms zero, one, two, few, many and other, the first three stand for one number.
        ("ar", forms("الآن", "دقيقة", "دقيقتان", *["%(count)d دقائق"] * 3)),
        ("ja", forms("%(count)d分")),
    ],
)
def test_a_correct_translation_is_not_reported(code: str, right: polib.POEntry) -> None:
    """Fails when the check demands the number in a form that stands for one number only."""
    assert list(problems_of_entry(code, right)) == []


def test_a_form_for_several_numbers_must_have_the_number() -> None:
    """Fails when the check ignores that French has one form for both 0 and 1."""
    assert list(problems_of_entry("fr", forms("une minute", *["%(count)d minutes"] * 2)))


# A whole catalogue ------------------------------------------------------------------------------

USERS, ADMIN = "django_bandwidth_mfa/forms.py", "django_bandwidth_mfa/admin.py"


@pytest.fixture
def code_messages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[polib.POFile]:
    """The messages of a small program, whose catalogues are in a temporary folder."""
    messages = polib.POFile()
    messages.append(entry("Enter the code we sent you.", occurrences=[(USERS, "")]))
    messages.append(entry("Reset", occurrences=[(ADMIN, "")]))
    monkeypatch.setattr(catalogues, "messages", lambda: messages)
    monkeypatch.setattr(catalogues, "LOCALE", tmp_path)
    return messages


def problems(code: str) -> list[str]:
    return list(problems_of(code, catalogues.read(code)))


def test_a_new_catalogue_has_what_users_see_and_the_plural_forms_of_django(
    code_messages: polib.POFile,
) -> None:
    catalogues.make("ar")
    made = catalogues.read("ar")
    assert [one.msgid for one in made] == ["Enter the code we sent you."]
    assert made.metadata["Plural-Forms"].startswith("nplurals=6;")
    assert problems("ar") == ["is not translated: 'Enter the code we sent you.'"]


def test_only_the_complete_language_needs_what_staff_see(code_messages: polib.POFile) -> None:
    catalogues.make("es")
    assert [one.msgid for one in catalogues.read("es")] == ["Enter the code we sent you.", "Reset"]


def test_a_catalogue_is_not_made_for_a_language_that_django_does_not_know() -> None:
    """The command ended with a KeyError, which did not say what was wrong."""
    with pytest.raises(SystemExit, match="Django does not know the language xx"):
        catalogues.make("xx")


def test_a_message_for_users_in_a_file_for_staff_must_be_translated(
    code_messages: polib.POFile,
) -> None:
    code_messages[1].comment = "Translators: Users see this in the list."
    assert len(catalogues.wanted_in("de")) == 2


def test_a_changed_message_keeps_its_old_translation_as_fuzzy(code_messages: polib.POFile) -> None:
    old = polib.POFile()
    old.metadata = {"X-Native-Review": "2026-11-26"}
    old.append(entry("Type the code that we sent you.", "Código, por favor."))
    old.append(entry("Nothing like it", "Nada"))
    [new] = merge("de", old)
    assert (new.msgid, new.msgstr, new.fuzzy) == (
        "Enter the code we sent you.",
        "Código, por favor.",
        True,
    )
    assert new.previous_msgid == "Type the code that we sent you."
    assert merge("de", old).metadata["X-Native-Review"] == "2026-11-26"


def test_a_message_that_is_not_changed_keeps_its_translation(code_messages: polib.POFile) -> None:
    old = polib.POFile()
    old.append(entry("Enter the code we sent you.", "Code eingeben."))
    old.append(entry("Reset", "Zurücksetzen"))
    new = {one.msgid: one.msgstr for one in merge("de", old)}
    # An existing translation of a text for staff stays.
    assert new == {"Enter the code we sent you.": "Code eingeben.", "Reset": "Zurücksetzen"}


def test_a_new_plural_form_begins_as_the_last_one(code_messages: polib.POFile) -> None:
    """Fails when a new form is empty: Spanish got a form for millions in Django 4."""
    code_messages.append(forms("", ""))
    code_messages[-1].occurrences = [(USERS, "")]
    old = polib.POFile()
    old.append(forms("%(count)d minuto", "%(count)d minutos"))
    new = merge("es", old)[-1]
    assert list(new.msgstr_plural.values()) == [
        "%(count)d minuto",
        "%(count)d minutos",
        "%(count)d minutos",
    ]


def test_two_branches_are_joined(code_messages: polib.POFile) -> None:
    """A translation of this branch stays; a missing or fuzzy translation comes from the other."""
    mine, theirs = polib.POFile(), polib.POFile()
    mine.append(entry("a", "mein"))
    mine.append(entry("b", "unsicher", flags=["fuzzy"]))
    for name in ("a", "b", "c"):
        theirs.append(entry(name, f"ihr {name}"))
    both = {one.msgid: one.msgstr for one in catalogues.joined(mine, theirs)}
    assert both == {"a": "mein", "b": "ihr b", "c": "ihr c"}


def test_a_catalogue_that_does_not_fit_the_program_is_found(code_messages: polib.POFile) -> None:
    catalogues.make("de")
    path = catalogues.path_of("de")
    path.write_text(
        path.read_text().replace("nplurals=2", "nplurals=3") + '\nmsgid "Old"\nmsgstr "Alt"\n'
    )
    reported = problems("de")
    assert any("Plural-Forms must be Django's" in one for one in reported)
    assert "is not used any more: 'Old'" in reported
    assert any("is not what django.po compiles to" in one for one in reported)
    code_messages.append(entry("New", occurrences=[(USERS, "")]))
    assert "is missing: 'New'" in problems("de")


@pytest.mark.parametrize("code", catalogues.codes())
def test_each_compiled_catalogue_matches_its_source(code: str) -> None:
    """Fails when a translation is changed and not compiled; this check needs no ``xgettext``."""
    path = catalogues.path_of(code).with_suffix(".mo")
    assert catalogues.compiled(path) == catalogues.contents(catalogues.read(code))


# How long a text message is ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "length", "parts"),
    [
        ("a" * 160, Length("GSM-7", 160), 1),
        ("a" * 161, Length("GSM-7", 161), 2),
        ("ñ€", Length("GSM-7", 3), 1),
        ("ı" + "a" * 69, Length("UCS-2", 70), 1),
        ("ı" + "a" * 70, Length("UCS-2", 71), 2),
        ("😀", Length("UCS-2", 2), 1),
    ],
)
def test_the_length_of_a_text_message(text: str, length: Length, parts: int) -> None:
    assert length_of(text) == length
    assert length.parts == parts
