"""The names of regions, such as "United States", in the language of the page.

There is a file ``<language>.json`` for each language, with the regions of ``phonenumbers``.
``python -m tests.regions`` creates them from Unicode's CLDR; ``LICENSE.unicode`` is their licence.
A file is read when a name in its language is first needed.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from django.utils.translation import get_language, to_locale

FOLDER = Path(__file__).parent

# The language of the names for pages in a language without a file.
OTHERWISE = "en"


def name_of(region: str) -> str:
    """Return the name of ``region`` (an ISO 3166 code); the code itself if there is no name."""
    names = _names(_file_for(get_language() or OTHERWISE))
    return names.get(region, region)


def _file_for(language: str) -> str:
    """Return the name of the file for ``language``, its base language, or English.

    The base language is not used for another script: somebody who reads ``sr-latn`` may not read
    Cyrillic.
    """
    locale = to_locale(language)
    base, _, variant = locale.partition("_")
    is_script = len(variant) == 4
    known = _languages()
    if locale in known:
        return locale
    return base if base in known and not is_script else OTHERWISE


@cache
def _languages() -> frozenset[str]:
    return frozenset(path.stem for path in FOLDER.glob("*.json"))


@cache
def _names(file: str) -> dict[str, str]:
    names: dict[str, str] = json.loads((FOLDER / f"{file}.json").read_text("utf-8"))
    return names
