"""Sphinx builds the site of these pages: ``nox -s docs``.

The pages are Markdown, and are read on GitHub, too.  ``_extensions/pages.py`` turns what GitHub
needs into what Sphinx needs.
"""

import sys
from pathlib import Path

# For the extension of the folder `_extensions`.
sys.path.insert(0, str(Path(__file__).parents[1]))

import django
from django.conf import settings

from django_bandwidth_mfa import __version__

# The reference is made from the code, which needs Django.
settings.configure(
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "django_bandwidth_mfa",
    ],
    ROOT_URLCONF="django_bandwidth_mfa.urls",
    USE_TZ=True,
)
django.setup()

project = "django-bandwidth-mfa"
author = "The django-bandwidth-mfa maintainers"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
extensions += ["docs._extensions.pages", "docs._extensions.accessibility"]
# In docstrings, `word` is code, and "Attributes:" describes attributes that are there already.
default_role = "code"
napoleon_use_ivar = True
root_doc = "index"
exclude_patterns = ["_diagrams", "_extensions"]
# A link to a page or a heading that is missing is a warning, and the session `docs` fails on one.
nitpicky = True

# Links such as `site-duties.md` name a heading as GitHub names it.
myst_heading_anchors = 4
# Python's and Django's own names are not looked up: the build needs no network.
nitpick_ignore_regex = [("py:.*", r"(?!django_bandwidth_mfa\.(?!internal)).*")]
# A type variable.
nitpick_ignore = [("py:class", "django_bandwidth_mfa.decorators.View")]
# Without it "..." in a sentence becomes another character, and quotes become curly.
smartquotes = False

html_theme = "furo"
html_title = f"django-bandwidth-mfa {release}"
html_theme_options = {
    "source_repository": "https://github.com/django-bandwidth-mfa/django-bandwidth-mfa/",
    "source_branch": "main",
    "source_directory": "docs/",
}
