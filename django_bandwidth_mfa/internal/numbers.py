"""The rules for phone numbers: how they are read, which are refused, how they are shown."""

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

# All that may stand in a number: digits, "+", and what people divide a number with.
CHARACTERS = frozenset("0123456789+()-./ ")

# How numbers of other countries begin in most of the world, in place of "+".
_DIALLED_ABROAD = re.compile(r"\A[( ]*00")


@sensitive_variables()
def parse(text: str) -> str:
    """Return the number that a person typed or pasted, in E.164 form.

    ``text`` may be a ``tel:`` link, and it may hold all that :func:`.plain_text.plain` reads.  A
    number without a country code is read as one of ``DEFAULT_REGION``.  If it is none there and
    begins with ``00``, the country code follows.

    :raises NumberRefused: the text is no phone number, or :func:`check` refuses the number.
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
    found = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    check(found)
    return found


def _read(text: str, region: str | None) -> phonenumbers.PhoneNumber:
    """Return the number of ``text``; an empty one, which is not valid, if there is none."""
    try:
        # phonenumbers itself would also take letters for digits.
        if CHARACTERS.issuperset(text):
            return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        pass
    return phonenumbers.PhoneNumber()


@sensitive_variables("number", "parsed")
def check(number: str) -> None:
    """Raise an error if the site does not pay for codes to ``number``.

    ``ALLOWED_REGIONS`` and ``REFUSED_NUMBER_TYPES`` say which numbers those are.

    The region is the number's own, not its country code's: ``+1`` is shared by some 25 countries,
    whose prices differ a hundredfold.

    :param number: E.164.
    :raises NumberRefused: its text says what to do instead.
    """
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        raise NumberRefused from None
    allowed = settings.ALLOWED_REGIONS
    region = phonenumbers.region_code_for_number(parsed)
    # Satellite and international networks: a code costs dollars there, and fraudsters rent numbers.
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
    """Return the region of numbers without a country code, such as ``"United States (+1)"``.

    An empty text means that each number needs its country code.
    """
    region = settings.DEFAULT_REGION
    if not region:
        return ""
    name, code = regions.name_of(region), f"+{phonenumbers.country_code_for_region(region)}"
    if get_language_bidi():
        # RIGHT-TO-LEFT and LEFT-TO-RIGHT ISOLATE, and their ends.  Without the outer one the code
        # would stand before the name, and without the inner one the plus after the digits.
        return f"\u2067{name} (\u2066{code}\u2069)\u2069"
    return f"{name} ({code})"


def mask(number: str) -> str:
    """Return the last two digits, as ``"••42"``.  The length of the number stays hidden."""
    return f"••{number[-2:]}"


def ending(number: str) -> str:
    """Return the last two digits, as ``"42"``: for a sentence that says "ending in"."""
    return number[-2:]


def label(number: str, name: str = "") -> str:
    """Return how a sentence calls a phone, after the words "the phone".

    Such as ``"ending in 42"``, and with a name ``"“Work” (ending in 42)"``.  A screen reader would
    read :func:`mask` as "bullet bullet forty-two", or leave the bullets out.

    :param name: what its owner calls it.
    """
    if name:
        # Translators: It stands in sentences for %(phone)s, after the word for "the phone", as in
        # "We now send codes to the phone “Work” (ending in 42)."  The sentences put it into any
        # grammatical case: use a form that never changes, such as one in parentheses.
        return pgettext("after the word phone", "“%(name)s” (ending in %(digits)s)") % {
            "name": isolate(name),
            "digits": ending(number),
        }
    # Translators: It stands in sentences for %(phone)s, after the word for "the phone", as in "We
    # now send codes to the phone ending in 42."  The sentences put it into any grammatical case:
    # use a form that never changes, such as "(…%(digits)s)".
    return pgettext("after the word phone", "ending in %(digits)s") % {"digits": ending(number)}


def example() -> str:
    """Return an example of a mobile number in the site's region, as people there write it."""
    regions = [settings.DEFAULT_REGION, *(settings.ALLOWED_REGIONS or []), "US"]
    region = next(region for region in regions if region not in (None, NO_COUNTRY))
    number = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    if number is None:
        return "+1 202-555-0123"
    return phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
