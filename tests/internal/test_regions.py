"""The names of regions, in the language of the page."""

from __future__ import annotations

import json
from typing import Any

import phonenumbers
import pytest
from django.utils import translation

from django_bandwidth_mfa.internal import numbers, regions


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("en", "United States"),
        ("en-us", "United States"),
        ("es", "Estados Unidos"),
        ("es-mx", "Estados Unidos"),
        ("pt-br", "Estados Unidos"),
        ("ja", "アメリカ合衆国"),
        ("tr", "Amerika Birleşik Devletleri"),
        ("zh-hant", "美國"),
        # The first has no name in the Latin script, and the second has no names at all.
        ("sr-latn", "United States"),
        ("eo", "United States"),
    ],
)
def test_a_region_has_its_name_in_the_language_of_the_page(language: str, name: str) -> None:
    with translation.override(language):
        assert regions.name_of("US") == name


def test_without_a_language_the_name_is_english() -> None:
    with translation.override(None):
        assert regions.name_of("DE") == "Germany"


def test_a_region_without_a_name_keeps_its_code() -> None:
    assert regions.name_of("ZZ") == "ZZ"


def test_each_language_names_each_region_that_has_phone_numbers() -> None:
    files = sorted(regions.FOLDER.glob("*.json"))
    assert len(files) >= 39
    for file in files:
        names = json.loads(file.read_text("utf-8"))
        # Ascension, Diego Garcia and the like have no name in every language's data.
        missing = phonenumbers.SUPPORTED_REGIONS - names.keys()
        assert missing == set(), file.name
        assert all(names.values()), file.name


def test_the_licence_of_the_data_is_kept() -> None:
    assert "UNICODE LICENSE V3" in (regions.FOLDER / "LICENSE.unicode").read_text("utf-8")


def test_the_default_region_is_shown_with_name_and_code(configure: Any) -> None:
    configure(DEFAULT_REGION="US")
    assert numbers.default_region() == "United States (+1)"
    with translation.override("de"):
        assert numbers.default_region() == "Vereinigte Staaten (+1)"
    configure(DEFAULT_REGION=None)
    assert numbers.default_region() == ""


def test_from_right_to_left_the_code_follows_the_name_and_begins_with_a_plus(
    configure: Any,
) -> None:
    """Fails without the isolates: browsers would show the code first, as ``(1+)``."""
    configure(DEFAULT_REGION="US")
    with translation.override("ar"):
        assert numbers.default_region() == "\u2067الولايات المتحدة (\u2066+1\u2069)\u2069"
