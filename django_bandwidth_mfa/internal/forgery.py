"""What our views make of a form that Django's check for forgery refuses.

Django's reasons begin with what was looked at: ``CSRF`` (the token, or its cookie), ``Origin`` or
``Referer``.
"""

from __future__ import annotations

import logging

from django.http import HttpRequest
from django.middleware.csrf import REASON_NO_REFERER
from django.utils.translation import gettext

logger = logging.getLogger("django.security.csrf")

# Django's own sentences, from its page for this.  Its catalogues have them, so ours need not.
_REFUSED = "CSRF verification failed. Request aborted."
_NO_REFERER = (
    "If you have configured your browser to disable “Referer” headers, please re-enable them, "
    "at least for this site, or for HTTPS connections, or for “same-origin” requests."
)


def log(request: HttpRequest, reason: str) -> None:
    """Log it as Django does, in one line.

    Escaped: a path may hold a line break (``%0A``), and what follows it would look like a record
    of its own.
    """
    logger.warning("Forbidden (%s): %s", _escaped(reason), _escaped(request.path))


def explain(reason: str) -> str:
    """Return what to tell about a form that does not come from a page of this site.

    An empty text where the token is wrong: most often the page was out of date.
    """
    if not reason.startswith(("Origin", "Referer")):
        return ""
    if reason == REASON_NO_REFERER:
        return f"{gettext(_REFUSED)} {gettext(_NO_REFERER)}"
    return gettext(_REFUSED)


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")
