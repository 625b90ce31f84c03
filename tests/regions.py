"""Make the names of regions from the CLDR data in Babel.

``python -m tests.regions`` writes ``django_bandwidth_mfa/internal/regions/``.  With ``--check`` it
only compares the files.  Another version of Babel may have other names, so ``pyproject.toml``
names the version.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import babel
import phonenumbers
from babel import Locale

FOLDER = Path(__file__).resolve().parents[1] / "django_bandwidth_mfa/internal/regions"
LICENCE = Path(babel.__file__).parent / "locale-data/LICENSE.unicode"

LANGUAGES = (
    *("ar", "bg", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "he", "hr"),
    *("hu", "id", "it", "ja", "ko", "lt", "lv", "nb", "nl", "pl", "pt", "pt_BR", "ro", "ru", "sk"),
    *("sl", "sr", "sv", "th", "tr", "uk", "vi", "zh_Hans", "zh_Hant"),
)


def files() -> Iterator[tuple[Path, str]]:
    """Yield each file of the folder, with its content."""
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)
    for language in LANGUAGES:
        territories = Locale.parse(language).territories
        names = {region: territories[region] for region in regions if region in territories}
        text = json.dumps(names, ensure_ascii=False, indent=0)
        yield FOLDER / f"{language}.json", f"{text}\n"
    yield FOLDER / "LICENSE.unicode", LICENCE.read_text("utf-8")


def main() -> None:
    if sys.argv[1:] == ["--check"]:
        outdated = [path.name for path, text in files() if not is_written(path, text)]
        if outdated:
            sys.exit(f"Out of date, run python -m tests.regions: {', '.join(outdated)}")
        print(f"The names of regions in {len(LANGUAGES)} languages are up to date")
        return
    for path, text in files():
        path.write_text(text, "utf-8")


def is_written(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


if __name__ == "__main__":
    main()
