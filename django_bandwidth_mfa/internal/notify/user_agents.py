"""Names of browsers, by which users recognise their own browsers."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

BROWSERS = (
    ("Edge", r"Edg(e|A|iOS)?/"),
    ("Opera", r"OPR/|Opera"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"Firefox/|FxiOS/"),
    ("Chrome", r"Chrome/|CriOS/"),
    ("Safari", r"Safari/"),
)
SYSTEMS = (
    ("Android", r"Android"),
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Windows", r"Windows"),
    ("Mac", r"Macintosh"),
    ("ChromeOS", r"CrOS"),
    ("Linux", r"Linux"),
)


def describe(user_agent: str) -> str:
    """Return a name such as ``"Firefox on Android"``; an empty text for an unknown browser.

    The header can contain anything.  The name is only shown to users, and decides nothing.

    >>> describe("Mozilla/5.0 (Android 14; Mobile; rv:142.0) Gecko/142.0 Firefox/142.0")
    'Firefox on Android'

    :param user_agent: the header ``User-Agent``.
    """
    names = [
        next((name for name, sign in table if re.search(sign, user_agent)), "")
        for table in (BROWSERS, SYSTEMS)
    ]
    if all(names):
        # Translators: The name of a browser, such as "Firefox on Android".
        return _("%(browser)s on %(system)s") % {"browser": names[0], "system": names[1]}
    return names[0] or names[1]
