"""Access tokens: JSON Web Tokens (RFC 7519) with the account as a claim."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from enum import Enum, auto

TOKEN_SECONDS = 3600

_ROLES = ["MFA"]
_HEADER = {"alg": "HS256", "typ": "JWT"}


class Judgement(Enum):
    """The result of the check of a token."""

    GOOD = auto()
    EXPIRED = auto()
    UNKNOWN = auto()


class Tokens:
    """Issues tokens, and recognises its own tokens by their signature.

    The key depends only on the account and the client's secret.  So a token is still valid after a
    restart of the simulator, and a running site need not get a new one.

    :param clock: returns the time in seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float], *, account: str, client_secret: str) -> None:
        self._clock = clock
        self._account = account
        self._key = f"{account} {client_secret}".encode(errors="surrogateescape")

    def issue(self) -> str:
        """Return a new access token, which is valid for ``TOKEN_SECONDS``."""
        claims = {
            "accounts": [self._account],
            "roles": _ROLES,
            "exp": self._clock() + TOKEN_SECONDS,
            "jti": secrets.token_urlsafe(16),
        }
        content = f"{_encode(json.dumps(_HEADER).encode())}.{_encode(json.dumps(claims).encode())}"
        return f"{content}.{self._signature(content)}"

    def judge(self, token: str) -> Judgement:
        """Return whether the token was issued here, and whether it has expired."""
        content, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(content).encode()):
            return Judgement.UNKNOWN
        claims = json.loads(base64.urlsafe_b64decode(content.partition(".")[2] + "=="))
        return Judgement.GOOD if self._clock() < claims["exp"] else Judgement.EXPIRED

    def _signature(self, content: str) -> str:
        return _encode(hmac.digest(self._key, content.encode(), hashlib.sha256))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
