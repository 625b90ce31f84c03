"""The URL at which the code page polls the delivery of its message, without a session.

With a session, a slow response to such a request could come after the response to a right code.
Its session cookie would replace the new one, and sign the user out.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.core import signing
from django.urls import reverse
from django.utils.translation import get_language

from ...models import Challenge

SALT = "bandwidth_mfa.delivery"

# The lifetime of the URL, in seconds.  The page polls for two minutes; a code lives for at most 15
# minutes.
LONGEST = 900


@dataclass(frozen=True)
class Followed:
    """The content of a signed URL: the challenge, and the language of the page."""

    challenge: Challenge
    language: str


def address_of(challenge: Challenge, name: str = "delivery") -> str:
    """Return the signed URL for this challenge, in the language of the page.

    :param name: the name of the URL pattern; one view returns a part of the page, another JSON.
    """
    signed = signing.dumps([str(challenge.pk), get_language() or ""], salt=SALT)
    return reverse(f"bandwidth_mfa:{name}", args=[signed])


def followed(signed: str) -> Followed | None:
    """Return the content of ``signed``; None if its signature is wrong, or if it is too old."""
    try:
        pk, language = signing.loads(signed, salt=SALT, max_age=LONGEST)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    challenge = Challenge.objects.filter(pk=pk).first()
    return None if challenge is None else Followed(challenge, language)
