"""The address that tells the code page what became of its message, without a session.

The page asks it again and again.  With the session's cookie, a late answer could overtake the
answer to a right code, and the cookie that it sets would sign the user out.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.core import signing
from django.urls import reverse
from django.utils.translation import get_language

from ...models import Challenge

SALT = "bandwidth_mfa.delivery"

# Seconds.  The page asks for two minutes; a code lives for 15 minutes at most.
LONGEST = 900


@dataclass(frozen=True)
class Followed:
    """What a signed address holds: the challenge, and the language of the page."""

    challenge: Challenge
    language: str


def address_of(challenge: Challenge, name: str = "delivery") -> str:
    """Return the signed address for this challenge only, in the language of the page.

    :param name: the name of the URL that answers: a part of the page, or JSON.
    """
    told = signing.dumps([str(challenge.pk), get_language() or ""], salt=SALT)
    return reverse(f"bandwidth_mfa:{name}", args=[told])


def followed(signed: str) -> Followed | None:
    """Return what ``signed`` holds; None if it was not signed here, or is too old."""
    try:
        pk, language = signing.loads(signed, salt=SALT, max_age=LONGEST)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    challenge = Challenge.objects.filter(pk=pk).first()
    return None if challenge is None else Followed(challenge, language)
