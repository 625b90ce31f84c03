"""The text of a message: ``MESSAGE`` in the language of the page.

Bandwidth fills in ``{CODE}``, ``{NAME}`` and ``{SCOPE}``.  The scope must be the same when the code
is verified, and the user may have changed the language by then.  So the scope for Bandwidth is
never translated.  Instead, this module replaces ``{SCOPE}`` in the text by the translated word.
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

# The words for the default scopes in a message, as in "Your Harbour sign-in code is 123456".
SCOPE_WORDS = {
    # Translators: It replaces {SCOPE} in "Your {NAME} {SCOPE} code is {CODE}".
    "sign-in": pgettext_lazy("kind of code", "sign-in"),
    # Translators: It replaces {SCOPE} in "Your {NAME} {SCOPE} code is {CODE}".
    "confirmation": pgettext_lazy("kind of code", "confirmation"),
    # Translators: It replaces {SCOPE} in "Your {NAME} {SCOPE} code is {CODE}".
    "new phone": pgettext_lazy("kind of code", "new phone"),
}


def write(user: User, *, purpose: str, channel: str) -> str:
    """Return the text of a message with a code for ``user``.

    The scope is translated only if the rest of the text is: in a lazy text with a translation, and
    in the result of a function.

    :raises ImproperlyConfigured: ``MESSAGE`` contains no ``{CODE}``, or its function raises, or the
        text is too long.
    """
    message = configured_message(channel)
    text = _ask_site(message, user, purpose, channel) if callable(message) else str(message)
    scope = settings.SCOPES[purpose]
    word = str(SCOPE_WORDS.get(scope, scope)) if _is_translated(message, text) else scope
    # With BIND_CODES the scope ends with random letters, which users should not see.
    if settings.BIND_CODES or word != scope:
        text = text.replace("{SCOPE}", word)
    # Check the text also without the last line, which always contains {CODE}.
    problem = message_problem(text) or message_problem(with_origin(text, channel))
    if problem is not None:
        # The result of a function may contain the user's name, so the error does not show it.
        raise ImproperlyConfigured(
            f'BANDWIDTH_MFA["MESSAGE"] {problem}. The text for the purpose {purpose!r} and the '
            f"channel {channel!r} is wrong."
        )
    return with_origin(text, channel)


def _is_translated(message: str | Promise | Callable[..., object], text: str) -> bool:
    """Return whether ``text`` may be in another language than English."""
    if not isinstance(message, Promise):
        return callable(message)
    with translation.override("en"):
        return str(message) != text


def configured_message(channel: str) -> str | Promise | Callable[..., object]:
    """Return the value of ``MESSAGE`` for ``channel``: a text, a lazy text, or a function.

    :raises ImproperlyConfigured: the function cannot be imported.
    """
    default = cast(Promise, Settings.MESSAGE.default)
    setting = settings.MESSAGE
    message = setting.get(channel, default) if isinstance(setting, Mapping) else setting
    if message is default and channel == "voice":
        # Bandwidth reads calls out in English only.
        with translation.override("en"):
            return str(message)
    if not is_dotted_path(message):
        return message
    try:
        return load(message)
    except ImportError as error:
        raise ImproperlyConfigured(f'BANDWIDTH_MFA["MESSAGE"]: {error}') from error


def with_origin(text: str, channel: str) -> str:
    """Return ``text`` with the line of ``ORIGIN``: phones fill in the code only on that site.

    The line must be the last one: https://wicg.github.io/sms-one-time-codes/.  The text of a call
    is not changed.
    """
    if settings.ORIGIN is None or channel != "sms":
        return text
    return f"{text}\n@{settings.ORIGIN} #{{CODE}}"


def sample(channel: str) -> str:
    """Return a text for a test code without a user; the default if ``MESSAGE`` is a function.

    A text message contains ``{CODE}`` twice, to show whether Bandwidth fills in both.
    """
    message = configured_message(channel)
    text = str(Settings.MESSAGE.default if callable(message) else message)
    if settings.ORIGIN is None and channel == "sms":
        return f"{text}\nAgain: {{CODE}}"
    return with_origin(text, channel)


def _ask_site(write: Callable[..., object], user: User, purpose: str, channel: str) -> str:
    try:
        text = write(user, purpose, channel)
        # A lazy text is evaluated here, so it may raise here.
        return str(text) if isinstance(text, Promise | str) else ""
    except Exception as error:
        raise ImproperlyConfigured(
            f'The function of BANDWIDTH_MFA["MESSAGE"] raised {type(error).__name__}.'
        ) from error
