"""The text that carries a code: what ``MESSAGE`` says, in the language of the page.

Bandwidth fills in ``{CODE}``, ``{NAME}`` and ``{SCOPE}``.  The scope that Bandwidth is told must be
the same when the code is verified, and the user may have changed the language by then.  So it is
never translated.  This module fills the translated word into the text instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from django.core.exceptions import ImproperlyConfigured
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from ...conf import Settings, is_dotted_path, load, message_problem, settings
from ...types import User

# The default scopes as people read them, as in "Your Harbour sign-in code is 123456".
SCOPE_WORDS = {
    # Translators: {SCOPE} of "Your {NAME} {SCOPE} code is {CODE}".
    "sign-in": pgettext_lazy("kind of code", "sign-in"),
    # Translators: {SCOPE} of "Your {NAME} {SCOPE} code is {CODE}".
    "confirmation": pgettext_lazy("kind of code", "confirmation"),
    # Translators: {SCOPE} of "Your {NAME} {SCOPE} code is {CODE}".
    "new phone": pgettext_lazy("kind of code", "new phone"),
}


def write(user: User, *, purpose: str, channel: str) -> str:
    """Return the text that carries a code to ``user``.

    The scope is translated only where the text around it is: in a lazy text that has a translation,
    and in what a function returns.

    :raises ImproperlyConfigured: ``MESSAGE`` is no text with ``{CODE}``, or its function fails, or
        the text is too long.
    """
    found = given(channel)
    text = _ask_site(found, user, purpose, channel) if callable(found) else str(found)
    scope = settings.SCOPES[purpose]
    word = str(SCOPE_WORDS.get(scope, scope)) if _is_translated(found, text) else scope
    # A bound scope ends in random letters, which are not for people.
    if settings.BIND_CODES or word != scope:
        text = text.replace("{SCOPE}", word)
    # Looked at before the last line is added, which holds {CODE} in any case.
    problem = message_problem(text) or message_problem(with_origin(text, channel))
    if problem is not None:
        # What a function returned may hold the user's name, so it is not shown.
        raise ImproperlyConfigured(
            f'BANDWIDTH_MFA["MESSAGE"] {problem}, also for {purpose!r} by {channel!r}.'
        )
    return with_origin(text, channel)


def _is_translated(found: str | Promise | Callable[..., object], text: str) -> bool:
    """Return whether ``text`` may stand in another language than English."""
    if not isinstance(found, Promise):
        return callable(found)
    with translation.override("en"):
        return str(found) != text


def given(channel: str) -> str | Promise | Callable[..., object]:
    """Return what ``MESSAGE`` has for ``channel``: a text, a lazy text, or a function.

    :raises ImproperlyConfigured: the function cannot be imported.
    """
    default = cast(Promise, Settings.MESSAGE.default)
    setting = settings.MESSAGE
    found = setting.get(channel, default) if isinstance(setting, Mapping) else setting
    if found is default and channel == "voice":
        # Nobody can choose the language that Bandwidth reads in.  It is English.
        with translation.override("en"):
            return str(found)
    if not is_dotted_path(found):
        return found
    try:
        return load(found)
    except ImportError as error:
        raise ImproperlyConfigured(f'BANDWIDTH_MFA["MESSAGE"]: {error}') from error


def with_origin(text: str, channel: str) -> str:
    """Return ``text`` with the line that binds its code to the site: phones then fill it in there.

    The line must be the last one: https://wicg.github.io/sms-one-time-codes/.  A call has none.
    """
    if settings.ORIGIN is None or channel != "sms":
        return text
    return f"{text}\n@{settings.ORIGIN} #{{CODE}}"


def sample(channel: str) -> str:
    """Return a text for a code that belongs to no user: the default where a function writes it.

    A text message has ``{CODE}`` twice.  So it shows whether Bandwidth fills in both.
    """
    found = given(channel)
    text = str(Settings.MESSAGE.default if callable(found) else found)
    if settings.ORIGIN is None and channel == "sms":
        return f"{text}\nAgain: {{CODE}}"
    return with_origin(text, channel)


def _ask_site(write: Callable[..., object], user: User, purpose: str, channel: str) -> str:
    try:
        text = write(user, purpose, channel)
        # A lazy text may fail only now.
        return str(text) if isinstance(text, Promise | str) else ""
    except Exception as error:
        raise ImproperlyConfigured(
            f'The function of BANDWIDTH_MFA["MESSAGE"] raised {type(error).__name__}.'
        ) from error
