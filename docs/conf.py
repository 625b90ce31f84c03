"""Sphinx builds the site of these pages: ``nox -s docs``.

The pages are Markdown, and are read on GitHub, too.  ``_extensions/pages.py`` turns what GitHub
needs into what Sphinx needs.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER / "_extensions")]

from django_bandwidth_mfa import __version__  # noqa: E402

project = "django-bandwidth-mfa"
author = "The django-bandwidth-mfa maintainers"
copyright = author
version = release = __version__

extensions = ["myst_parser", "pages"]
root_doc = "index"
exclude_patterns = ["_extensions"]
# A link to a page or a heading that is missing is a warning, and the session `docs` fails on one.
nitpicky = True

# Links such as `security.md#4-what-is-left-to-the-site` name a heading as GitHub names it.
myst_heading_anchors = 4
# Without it "..." in a sentence becomes another character, and quotes become curly.
smartquotes = False

html_theme = "furo"
html_title = f"django-bandwidth-mfa {release}"
html_theme_options = {
    "source_repository": "https://github.com/django-bandwidth-mfa/django-bandwidth-mfa/",
    "source_branch": "main",
    "source_directory": "docs/",
}
