"""The rules for phone numbers: how they are read, which ones are refused, how they are shown."""

from __future__ import annotations

import re

import phonenumbers
from django.utils.translation import get_language_bidi, pgettext
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from ..conf import NO_COUNTRY, settings
from ..exceptions import NumberRefused
from . import regions
from .plain_text import isolate, plain

# The characters that a number may contain: digits, "+", and separators.
CHARACTERS = frozenset("0123456789+()-./ ")

# The international prefix of most countries, which is dialled in place of "+".
_DIALLED_ABROAD = re.compile(r"\A[( ]*00")


@sensitive_variables()
def parse(text: str) -> str:
    """Return a typed or pasted number in E.164 form.

    ``text`` may be a ``tel:`` link, and may contain all characters that :func:`.plain_text.plain`
    accepts.  A number without a country code is read as a number of ``DEFAULT_REGION``.  If it is
    not valid there and begins with ``00``, the ``00`` is read as ``+``.

    :raises NumberRefused: the text is not a phone number, or :func:`check` refuses the number.
    """
    region = settings.DEFAULT_REGION
    text = plain(text).strip()
    if text[:4].lower() == "tel:":  # RFC 3966
        text = text[4:].lstrip()
    abroad = _DIALLED_ABROAD.sub("+", text, count=1)
    number = _read(text, region)
    if not phonenumbers.is_valid_number(number) and abroad.startswith("+"):
        number = _read(abroad, None)
    if not phonenumbers.is_valid_number(number):
        if region is None and not abroad.startswith("+"):
            raise NumberRefused(
                _("Begin with your country code, like %(example)s.") % {"example": example()}
            )
        raise NumberRefused(
            _("Check the phone number. It should look like %(example)s.") % {"example": example()}
        )
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    check(e164)
    return e164


def _read(text: str, region: str | None) -> phonenumbers.PhoneNumber:
    """Return the number in ``text``; an empty and invalid number if there is none."""
    try:
        # phonenumbers itself would also read letters as digits.
        if CHARACTERS.issuperset(text):
            return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        pass
    return phonenumbers.PhoneNumber()


@sensitive_variables("number", "parsed")
def check(number: str) -> None:
    """Raise an error if codes must not be sent to ``number``.

    The settings ``ALLOWED_REGIONS`` and ``REFUSED_NUMBER_TYPES`` decide.  The region is found by
    the whole number and not by its country code: about 25 countries share ``+1``, and their prices
    differ by a factor of up to a hundred.

    :param number: the number in E.164 form.
    :raises NumberRefused: codes must not be sent to it.  The message says what to do instead.
    """
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        raise NumberRefused from None
    allowed = settings.ALLOWED_REGIONS
    region = phonenumbers.region_code_for_number(parsed)
    # Satellite and international networks: a code can cost some dollars, and fraudsters rent such
    # numbers.
    if region == NO_COUNTRY and NO_COUNTRY not in (allowed or []):
        raise NumberRefused(
            _("We cannot send codes to this kind of number. Please use a mobile number.")
        )
    if allowed is not None and region not in allowed:
        raise NumberRefused(_("We cannot send codes to this country. Please use another number."))
    refused = {getattr(PhoneNumberType, name) for name in settings.REFUSED_NUMBER_TYPES}
    if phonenumbers.number_type(parsed) in refused:
        raise NumberRefused(
            _("We cannot send codes to this kind of number. Please use a mobile number.")
        )


@sensitive_variables("number")
def region_of(number: str) -> str | None:
    """Return the ISO 3166 code of the region of ``number`` (E.164); None if it has none."""
    return phonenumbers.region_code_for_number(phonenumbers.parse(number, None))


def home_region() -> str | None:
    """Return the site's own region: ``DEFAULT_REGION``, or else that of ``FROM_NUMBER``."""
    return settings.DEFAULT_REGION or region_of(settings.FROM_NUMBER)


def default_region() -> str:
    """Return a label for the region of numbers without a country code: ``"United States (+1)"``.

    It is empty if each number needs its country code.
    """
    region = settings.DEFAULT_REGION
    if not region:
        return ""
    name, code = regions.name_of(region), f"+{phonenumbers.country_code_for_region(region)}"
    if get_language_bidi():
        # RIGHT-TO-LEFT and LEFT-TO-RIGHT ISOLATE, and their ends.  Without the outer one the code
        # would be shown before the name, and without the inner one the plus after the digits.
        return f"\u2067{name} (\u2066{code}\u2069)\u2069"
    return f"{name} ({code})"


def mask(number: str) -> str:
    """Return the last two digits after two dots, which also hide the length of the number.

    >>> mask("+12025550142")
    '••42'
    """
    return f"••{number[-2:]}"


def ending(number: str) -> str:
    """Return the last two digits, for a sentence with "ending in".

    >>> ending("+12025550142")
    '42'
    """
    return number[-2:]


def label(number: str, name: str = "") -> str:
    """Return the text for a phone after the words "the phone" in a sentence.

    It is ``"ending in 42"``, or ``"“Work” (ending in 42)"`` with a name.  A sentence does not use
    :func:`mask`, because a screen reader would read "bullet bullet forty-two".

    :param name: the name that the owner gave to the phone; may be empty.
    """
    if name:
        # Translators: This replaces %(phone)s in sentences, after the word for "the phone", as in
        # "We now send codes to the phone “Work” (ending in 42)."  The sentences need different
        # grammatical cases, so use a form that never changes, such as one in parentheses.
        return pgettext("after the word phone", "“%(name)s” (ending in %(digits)s)") % {
            "name": isolate(name),
            "digits": ending(number),
        }
    # Translators: This replaces %(phone)s in sentences, after the word for "the phone", as in "We
    # now send codes to the phone ending in 42."  The sentences need different grammatical cases, so
    # use a form that never changes, such as "(…%(digits)s)".
    return pgettext("after the word phone", "ending in %(digits)s") % {"digits": ending(number)}


def example() -> str:
    """Return an example of a mobile number in the site's region, in international format."""
    regions = [settings.DEFAULT_REGION, *(settings.ALLOWED_REGIONS or []), "US"]
    region = next(region for region in regions if region not in (None, NO_COUNTRY))
    number = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    if number is None:
        return "+1 202-555-0123"
    return phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
