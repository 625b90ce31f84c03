"""The rules for phone numbers: how they are read, which are refused, how they are shown."""

from __future__ import annotations

import phonenumbers
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from ..conf import NO_COUNTRY, settings
from ..exceptions import NumberRefused


@sensitive_variables()
def parse(text: str) -> str:
    """Return the number that a person typed, in E.164 form.

    A number without a country code is read as one of ``DEFAULT_REGION``.

    :raises NumberRefused: the text is no phone number, or :func:`check` refuses the number.
    """
    region = settings.DEFAULT_REGION
    try:
        # Only "+" means international here: phonenumbers would also take letters for digits.
        if not all(c.isascii() and (c.isdigit() or c in "+()-./ \t") for c in text.strip()):
            raise phonenumbers.NumberParseException(0, "not a phone number")
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        if region is None and not text.strip().startswith("+"):
            raise NumberRefused(
                _("Start with + and the country code, as in %(example)s.") % {"example": example()}
            ) from None
        number = phonenumbers.PhoneNumber()
    if not phonenumbers.is_valid_number(number):
        raise NumberRefused(
            _("This is not a phone number that we know. It should look like %(example)s.")
            % {"example": example()}
        )
    found = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    check(found)
    return found


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
    """Return the region of numbers without a country code, such as ``"US (+1)"``.

    An empty text means that each number needs its country code.
    """
    region = settings.DEFAULT_REGION
    return f"{region} (+{phonenumbers.country_code_for_region(region)})" if region else ""


def mask(number: str) -> str:
    """Return the last two digits, as ``"••42"``.  The length of the number stays hidden."""
    return f"••{number[-2:]}"


def example() -> str:
    """Return an example of a mobile number in the site's region, as people there write it."""
    regions = [settings.DEFAULT_REGION, *(settings.ALLOWED_REGIONS or []), "US"]
    region = next(region for region in regions if region not in (None, NO_COUNTRY))
    number = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    if number is None:
        return "+1 202-555-0123"
    return phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
