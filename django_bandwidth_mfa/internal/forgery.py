"""The handling of forms that Django's CSRF check refuses.

Django's reasons begin with the failed part: ``CSRF`` (the token or its cookie), ``Origin`` or
``Referer``.
"""

from __future__ import annotations

import logging

from django.http import HttpRequest
from django.middleware.csrf import REASON_NO_REFERER
from django.utils.translation import gettext

logger = logging.getLogger("django.security.csrf")

# Sentences of Django's own error page.  Django's catalogues translate them.
_REFUSED = "CSRF verification failed. Request aborted."
_NO_REFERER = (
    "If you have configured your browser to disable “Referer” headers, please re-enable them, "
    "at least for this site, or for HTTPS connections, or for “same-origin” requests."
)


def log(request: HttpRequest, reason: str) -> None:
    """Log the refusal as Django does, in one line.

    The texts are escaped: a path can contain a line break (``%0A``), with which an attacker could
    forge a log record.
    """
    logger.warning("Forbidden (%s): %s", _escaped(reason), _escaped(request.path))


def explain(reason: str) -> str:
    """Return the text for a form that does not come from a page of this site.

    It is empty if only the token is wrong: usually the page was out of date.
    """
    if not reason.startswith(("Origin", "Referer")):
        return ""
    if reason == REASON_NO_REFERER:
        return f"{gettext(_REFUSED)} {gettext(_NO_REFERER)}"
    return gettext(_REFUSED)


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")
