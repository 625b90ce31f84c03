"""Make, merge, compile and check the catalogues of translations.

::

    python -m tests.catalogues              # check all catalogues, and the tables in the docs
    python -m tests.catalogues check ar     # check one language
    python -m tests.catalogues new ar bg    # make an empty catalogue for each of these languages
    python -m tests.catalogues update       # merge today's messages into all, and compile them
    python -m tests.catalogues update ar    # the same for one language
    python -m tests.catalogues update es --also FILE    # take what is not translated from FILE
    python -m tests.catalogues compile      # compile alone
    python -m tests.catalogues count        # how many messages each file has
    python -m tests.catalogues tables       # write the tables of docs/languages.md

It needs ``xgettext`` (Debian: ``gettext``) and the package ``polib``.

**Which messages a language must have.**  Users see the pages, the mails, the messages and the text
of an SMS.  Staff see the rest: a message is for staff if each of its references is one of
:data:`STAFF`, and no comment for translators says "Users see this".  Spanish has all messages.  Any
other language must have those that users see, and may have the others.
"""

from __future__ import annotations

import argparse
import difflib
import gettext
import io
import math
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import django
import polib
from django.conf.locale import LANG_INFO
from django.utils.translation import to_language

from .pseudo_language import PLACEHOLDER, TAG

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "django_bandwidth_mfa"
LOCALE = ROOT / PACKAGE / "locale"
PAGE = ROOT / "docs/languages.md"

# What only staff see: the admin, commands, checks of the settings.
STAFF = (
    "admin.py",
    "apps.py",
    "checks.py",
    "models.py",
    "internal/staff/",
    "management/",
    "templates/admin/",
)
FOR_USERS = "Users see this"

# The language that also has what staff see.
COMPLETE = "es"

# The headers that say who has read a catalogue.  "none" means nobody.
SECOND_READING = "X-Second-Reading"
NATIVE_REVIEW = "X-Native-Review"

# The context of the one message that says which language a catalogue is.
CODE_OF_LANGUAGE = "code of this language"

# The similarity from which a new message counts as a changed old one.
ALIKE = 0.6

Key = tuple[str | None, str]


# The messages of the code ---------------------------------------------------------------------


@cache
def messages() -> polib.POFile:
    """Return the messages that ``makemessages`` finds in the package now."""
    environment = {**os.environ}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    with TemporaryDirectory() as folder:
        # A copy, because makemessages writes into the folder that it reads.
        copy = Path(folder, PACKAGE)
        shutil.copytree(
            ROOT / PACKAGE, copy, ignore=shutil.ignore_patterns("locale", "static", "__pycache__")
        )
        (copy / "locale").mkdir()
        command = ("makemessages", "--locale=en", "--keep-pot", "--add-location=file")
        subprocess.run(
            [sys.executable, "-m", "django", *command, "--extension=html,txt,py"],
            cwd=folder,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        template = polib.pofile(str(copy / "locale/django.pot"), wrapwidth=78)
    for message in template:
        places = {place.removeprefix("./") for place, _ in message.occurrences}
        message.occurrences = [(place, "") for place in sorted(places)]
    # Messages for users come first. Each part is sorted by file.
    template.sort(key=lambda message: (not is_for_users(message), message.occurrences))
    return template


def is_for_users(message: polib.POEntry) -> bool:
    """Whether users see ``message``, by the rule at the top of this file."""
    places = [place.removeprefix(f"{PACKAGE}/") for place, _ in message.occurrences]
    return FOR_USERS in message.comment or not all(place.startswith(STAFF) for place in places)


def key_of(message: polib.POEntry) -> Key:
    return (message.msgctxt, message.msgid)


def wanted_in(code: str) -> list[polib.POEntry]:
    """Return the messages that the catalogue of ``code`` must have."""
    return [one for one in messages() if code == COMPLETE or is_for_users(one)]


# The catalogues -------------------------------------------------------------------------------


def codes() -> list[str]:
    """Return the languages that have a catalogue, by the names of their folders."""
    return sorted(path.parent.parent.name for path in LOCALE.glob("*/LC_MESSAGES/django.po"))


def path_of(code: str) -> Path:
    return LOCALE / code / "LC_MESSAGES/django.po"


def read(code: str) -> polib.POFile:
    return polib.pofile(str(path_of(code)), wrapwidth=78)


def write(code: str, catalogue: polib.POFile) -> None:
    """Write the catalogue, and what it compiles to."""
    path_of(code).parent.mkdir(parents=True, exist_ok=True)
    catalogue.save(str(path_of(code)))
    catalogue.save_as_mofile(str(path_of(code).with_suffix(".mo")))


def plural_forms(code: str) -> str:
    """Return the header ``Plural-Forms`` of Django's own catalogue of the language.

    If the forms differ, Django does not merge the two catalogues.
    """
    path = Path(django.__file__).parent / f"conf/locale/{code}/LC_MESSAGES/django.mo"
    if not path.exists():
        sys.exit(f"Django has no language {code!r}.")
    with path.open("rb") as file:
        return gettext.GNUTranslations(file).info()["plural-forms"]


def count_of_forms(code: str) -> int:
    [number] = re.findall(r"nplurals\s*=\s*(\d+)", plural_forms(code))
    return int(number)


def form_of(code: str) -> list[int]:
    """Return the plural form of each number, from 0 on."""
    [expression] = re.findall(r"plural\s*=\s*([^;]+)", plural_forms(code))
    choose = gettext.c2py(expression)  # type: ignore[attr-defined]
    # Some languages have a form for 1,000,000 alone.
    return [choose(number) for number in (*range(1000), 1_000_000, 2_000_000)]


def header(code: str) -> dict[str, str]:
    return {
        "Project-Id-Version": "django-bandwidth-mfa",
        "Language": code,
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
        "Plural-Forms": plural_forms(code),
        SECOND_READING: "none",
        NATIVE_REVIEW: "none",
    }


def name_of(code: str) -> str:
    return str(LANG_INFO[to_language(code)]["name"])


def merge(code: str, old: polib.POFile) -> polib.POFile:
    """Return a catalogue with the current messages and the translations of ``old``.

    A changed message gets the translation of the old message. It is marked as fuzzy, with the old
    message beside it. Messages that the code no longer has are left out.
    """
    new = polib.POFile(wrapwidth=78)
    new.header = f"{name_of(code)}. Distributed under the same license as the package."
    new.metadata = {**header(code), **old.metadata, "Plural-Forms": plural_forms(code)}
    for outdated in ("POT-Creation-Date", "Report-Msgid-Bugs-To"):
        new.metadata.pop(outdated, None)
    known = {key_of(one): one for one in old if not one.obsolete}
    current = {key_of(one): one for one in messages()}
    gone = [one for key, one in known.items() if key not in current and has_text(one)]
    must_have = {key_of(one) for one in wanted_in(code)}
    for key, message in current.items():
        before = known.get(key)
        if key in must_have or (before is not None and has_text(before)):
            new.append(translated(code, message, before, gone))
    return new


def joined(first: polib.POFile, *others: polib.POFile) -> polib.POFile:
    """Return ``first`` with the translations of ``others`` where it has none."""
    for entry in (one for other in others for one in other if not one.obsolete and has_text(one)):
        known = {key_of(one): one for one in first}
        mine = known.get(key_of(entry))
        if mine is not None and (mine.fuzzy or mine.obsolete or not has_text(mine)):
            first.remove(mine)
            mine = None
        if mine is None:
            first.append(entry)
    return first


def has_text(message: polib.POEntry) -> bool:
    return bool(message.msgstr or any(message.msgstr_plural.values()))


def translated(
    code: str, message: polib.POEntry, before: polib.POEntry | None, gone: list[polib.POEntry]
) -> polib.POEntry:
    """Return ``message`` with the translation of ``before``, or of the nearest one of ``gone``."""
    entry = polib.POEntry(
        msgid=message.msgid,
        msgctxt=message.msgctxt,
        msgid_plural=message.msgid_plural,
        comment=message.comment,
        occurrences=message.occurrences,
        flags=[flag for flag in message.flags if flag != "fuzzy"],
    )
    if before is None:
        before = nearest(message, gone)
        if before is not None:
            entry.previous_msgctxt = before.msgctxt
            entry.previous_msgid = before.msgid
            entry.previous_msgid_plural = before.msgid_plural or None
            entry.flags.append("fuzzy")
    elif before.fuzzy:
        entry.previous_msgctxt = before.previous_msgctxt
        entry.previous_msgid = before.previous_msgid
        entry.previous_msgid_plural = before.previous_msgid_plural
        entry.flags.append("fuzzy")
    if before is not None:
        entry.tcomment = before.tcomment
    if message.msgid_plural:
        forms = before.msgstr_plural if before is not None else {}
        # If the language has a new plural form, it begins with the text of the last old one.
        last = forms[max(forms)] if forms else ""
        entry.msgstr_plural = {n: forms.get(n, last) for n in range(count_of_forms(code))}
    elif before is not None:
        entry.msgstr = before.msgstr
    return entry


def nearest(message: polib.POEntry, gone: Iterable[polib.POEntry]) -> polib.POEntry | None:
    """Return the message of ``gone`` that is most similar to ``message``, or None."""
    alike = [
        (difflib.SequenceMatcher(None, message.msgid, one.msgid).ratio(), one)
        for one in gone
        if bool(one.msgid_plural) == bool(message.msgid_plural)
    ]
    ratio, best = max(alike, key=lambda pair: pair[0], default=(0.0, None))
    return best if ratio >= ALIKE else None


# The checks -----------------------------------------------------------------------------------


def problems(chosen: Iterable[str]) -> Iterator[str]:
    """Yield each problem of the catalogues of ``chosen``, as one line."""
    for code in chosen:
        for problem in problems_of(code, read(code)):
            yield f"{code}: {problem}"
    if PAGE.read_text("utf-8") != page_with_tables():
        yield "docs/languages.md: its tables are out of date: python -m tests.catalogues tables"


def problems_of(code: str, catalogue: polib.POFile) -> Iterator[str]:
    """Yield each problem of one catalogue."""
    if catalogue.metadata.get("Plural-Forms") != plural_forms(code):
        yield f"Plural-Forms must be Django's: {plural_forms(code)}"
    for name, value in header(code).items():
        if name in (SECOND_READING, NATIVE_REVIEW):
            if not re.fullmatch(r"none|\d{4}-\d\d-\d\d", catalogue.metadata.get(name, "")):
                yield f"the header {name} must be none, or the date of the reading"
        elif name in ("Language", "Content-Type") and catalogue.metadata.get(name) != value:
            yield f"the header {name} must be {value!r}"
    current = {key_of(one): one for one in messages()}
    entries = {key_of(one): one for one in catalogue if not one.obsolete}
    for message in wanted_in(code):
        if key_of(message) not in entries:
            yield f"is missing: {message.msgid!r}"
    for entry in catalogue:
        message = current.get(key_of(entry))
        if entry.obsolete or message is None:
            yield f"is not used any more: {entry.msgid!r}"
        elif message.msgid_plural != entry.msgid_plural:
            yield f"has another plural now: {entry.msgid!r}"
        else:
            for problem in problems_of_entry(code, entry):
                yield f"{problem}: {entry.msgid!r}"
    if compiled(path_of(code).with_suffix(".mo")) != contents(catalogue):
        yield "django.mo is not what django.po compiles to: python -m tests.catalogues compile"


def problems_of_entry(code: str, entry: polib.POEntry) -> Iterator[str]:
    if entry.fuzzy:
        yield "is fuzzy"
    if entry.msgctxt == CODE_OF_LANGUAGE and entry.msgstr.lower() != to_language(code):
        yield f"must be the language of this catalogue, {to_language(code)!r}"
    if not entry.msgid_plural:
        yield from problems_of_text(entry.msgid, entry.msgstr, ())
        return
    if set(entry.msgstr_plural) != set(range(count_of_forms(code))):
        yield f"must have {count_of_forms(code)} plural forms"
        return
    forms = form_of(code)
    for number, text in sorted(entry.msgstr_plural.items()):
        # A form for only one number may have the number in words, or may leave it out.
        optional = placeholders(entry.msgid_plural) if forms.count(number) == 1 else ()
        for problem in problems_of_text(entry.msgid_plural, text, optional):
            yield f"{problem} in plural form {number}"


def problems_of_text(text: str, translation: str, optional: Iterable[str]) -> Iterator[str]:
    """Yield each problem of ``translation``.

    :param optional: one of these placeholders may be left out.
    """
    if not translation.strip():
        yield "is not translated"
        return
    missing = Counter(placeholders(text)) - Counter(placeholders(translation))
    added = Counter(placeholders(translation)) - Counter(placeholders(text))
    may_be_missing = len(missing) == 1 and set(missing) <= set(optional)
    if added or (missing and not may_be_missing):
        yield f"has other placeholders ({', '.join([*missing, *added])})"
    if Counter(TAG.findall(text)) != Counter(TAG.findall(translation)):
        yield f"has other HTML tags than {TAG.findall(text)}"
    if edges(text) != edges(translation):
        yield "begins or ends with other space"


def placeholders(text: str) -> list[str]:
    return PLACEHOLDER.findall(text)


def edges(text: str) -> tuple[str, str]:
    """Return the white space at the beginning and at the end."""
    core = text.strip()
    start = text.index(core)
    return text[:start], text[start + len(core) :]


def compiled(path: Path) -> dict[object, str]:
    """Return the content of a compiled catalogue without its header; empty if there is no file."""
    return loaded(path.read_bytes()) if path.exists() else {}


def contents(catalogue: polib.POFile) -> dict[object, str]:
    """Return the content that ``catalogue`` has after it is compiled."""
    return loaded(catalogue.to_binary())


def loaded(binary: bytes) -> dict[object, str]:
    catalogue = dict(gettext.GNUTranslations(io.BytesIO(binary))._catalog)  # type: ignore[attr-defined]
    catalogue.pop("", None)  # the header
    return catalogue


# The tables in the documents ------------------------------------------------------------------

# The characters of GSM 03.38: those of its alphabet, and those that count as two.
GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_DOUBLE = frozenset("\f^{}\\[~]|€")
SCOPES = ("sign-in", "confirmation", "new phone")
MESSAGE = "Your {NAME} {SCOPE} code is {CODE}"


@dataclass(frozen=True)
class Length:
    """The length of a text message."""

    alphabet: str
    characters: int

    @property
    def parts(self) -> int:
        """The number of messages that a carrier sends for it, and charges."""
        single, multiple = (160, 153) if self.alphabet == "GSM-7" else (70, 67)
        return 1 if self.characters <= single else math.ceil(self.characters / multiple)


def length_of(text: str) -> Length:
    if GSM_7.union(GSM_7_DOUBLE).issuperset(text):
        return Length("GSM-7", len(text) + sum(one in GSM_7_DOUBLE for one in text))
    return Length("UCS-2", len(text.encode("utf-16-le")) // 2)


def longest_sms(code: str) -> Length:
    """Return the length of the longest default text message of a language.

    The name of the site has 20 letters.
    """
    texts = {key_of(one): one.msgstr for one in read(code)} if code != "en" else {}
    message = texts.get((None, MESSAGE)) or MESSAGE
    scopes = [texts.get(("kind of code", scope)) or scope for scope in SCOPES]
    longest = message.replace("{SCOPE}", max(scopes, key=len))
    return length_of(longest.replace("{NAME}", "N" * 20).replace("{CODE}", "123456"))


def table_of_languages() -> str:
    """Return the table of languages, from the headers of the catalogues."""
    lines = [
        "| Language | Code | Pages, mail, SMS | Admin | Second reading | Read by a native |",
        "| --- | --- | --- | --- | --- | --- |",
        "| English | `en` | yes | yes | | |",
    ]
    staff = {key_of(one) for one in messages() if not is_for_users(one)}
    for code in codes():
        catalogue = read(code)
        done = {key_of(one) for one in catalogue.translated_entries()}
        wanted = {key_of(one) for one in wanted_in(code)} - staff
        cells = [
            name_of(code),
            f"`{to_language(code)}`",
            share(done & wanted, wanted),
            share(done & staff, staff),
            *(
                catalogue.metadata.get(name, "none").replace("none", "not yet")
                for name in (SECOND_READING, NATIVE_REVIEW)
            ),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def share(done: set[Key], wanted: set[Key]) -> str:
    if done == wanted:
        return "yes"
    return f"{100 * len(done) // len(wanted)} %" if done else "in English"


def table_of_lengths() -> str:
    """Return the table of the longest default text messages."""
    lines = ["| Language | Alphabet | Characters | Parts |", "| --- | --- | --- | --- |"]
    for code in ("en", *codes()):
        length = longest_sms(code)
        lines.append(
            f"| {name_of(code)} | {length.alphabet} | {length.characters} | {length.parts} |"
        )
    return "\n".join(lines) + "\n"


TABLES = {"languages": table_of_languages, "lengths": table_of_lengths}


def page_with_tables() -> str:
    """Return the text of the page with current tables."""
    page = PAGE.read_text("utf-8")
    for name, table in TABLES.items():
        start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
        before, rest = page.split(start)
        page = before + start + table() + end + rest.split(end)[1]
    return page


def write_tables() -> None:
    PAGE.write_text(page_with_tables(), "utf-8")


def report() -> Iterator[str]:
    """Print the number of messages in each file: for users, and for staff."""
    files = sorted({place for one in messages() for place, _ in one.occurrences})
    for place in files:
        here = [one for one in messages() if (place, "") in one.occurrences]
        users = sum(map(is_for_users, here))
        yield f"{users:4} {len(here) - users:4}  {place}"
    users = sum(map(is_for_users, messages()))
    yield f"{users:4} {len(messages()) - users:4}  different ones: seen by users, by staff alone"


# The program ----------------------------------------------------------------------------------


def make(code: str) -> None:
    """Make a new, empty catalogue."""
    if to_language(code) not in LANG_INFO:
        sys.exit(f"Django does not know the language {code}. Its languages are in LANG_INFO.")
    if path_of(code).exists():
        sys.exit(f"{path_of(code).relative_to(ROOT)} is there already.")
    write(code, merge(code, polib.POFile()))


def main() -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = ("check", "new", "update", "compile", "count", "tables")
    parser.add_argument("action", nargs="?", default="check", choices=actions)
    parser.add_argument("code", nargs="*", help="languages, named as Django's folders: pt_BR")
    parser.add_argument(
        "--also",
        metavar="FILE",
        action="append",
        default=[],
        help="another catalogue, such as that of another branch, for what is not translated",
    )
    options = parser.parse_args()
    chosen = options.code or codes()
    match options.action:
        case "check":
            lines = list(problems(chosen))
            if lines:
                sys.exit("\n".join([*lines, f"{len(lines)} problems"]))
            count = len(wanted_in(""))
            print(f"{len(chosen)} languages have all {count} messages that users see")
        case "new":
            if not options.code:
                sys.exit("Name the languages.")
            for code in options.code:
                make(code)
            write_tables()
        case "update":
            for code in chosen:
                write(code, merge(code, joined(read(code), *map(polib.pofile, options.also))))
            write_tables()
        case "compile":
            for code in chosen:
                write(code, read(code))
        case "count":
            print("\n".join(report()))
        case "tables":
            write_tables()


if __name__ == "__main__":
    main()
