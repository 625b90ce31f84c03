"""The messages of the app, as translators see them."""

from __future__ import annotations

import gettext
from pathlib import Path

import django
import pytest

import django_bandwidth_mfa

OURS = Path(django_bandwidth_mfa.__file__).parent / "locale"
DJANGO = Path(django.__file__).parent

# Django and this app use these texts with the same meaning.
SAME_MEANING = {"Error:", "name", "user"}


def messages_of(catalogue: Path) -> set[str]:
    """Return the messages without a context."""
    with catalogue.open("rb") as file:
        keys = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    messages = {key[0] if isinstance(key, tuple) else key for key in keys}
    return {message for message in messages if message and "\x04" not in message}


@pytest.mark.slow
def test_no_message_is_one_of_djangos_own() -> None:
    """Fails when "Remove" has no context: Django merges all catalogues, so the button for a phone
    would have the admin's word for rows, or the other way round."""
    ours = messages_of(OURS / "es/LC_MESSAGES/django.mo")
    djangos = set().union(*map(messages_of, DJANGO.rglob("locale/es/LC_MESSAGES/django.mo")))
    assert len(ours) > 200
    assert "Save" in djangos
    assert ours & djangos <= SAME_MEANING
