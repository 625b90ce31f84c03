"""Access tokens: JSON Web Tokens (RFC 7519) that say which account they open."""

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
    """What a token is worth."""

    GOOD = auto()
    EXPIRED = auto()
    UNKNOWN = auto()


class Tokens:
    """Issues tokens and knows its own by their signature.

    The key comes from the client's secret. So a token outlives the simulator that issued it: a site
    that goes on running while its simulator is restarted is not refused.

    ``clock`` gives the time in seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float], *, account: str, client_secret: str) -> None:
        self._clock = clock
        self._account = account
        self._key = f"{account} {client_secret}".encode(errors="surrogateescape")

    def issue(self) -> str:
        """Return a new access token, good for TOKEN_SECONDS."""
        claims = {
            "accounts": [self._account],
            "roles": _ROLES,
            "exp": self._clock() + TOKEN_SECONDS,
            "jti": secrets.token_urlsafe(16),
        }
        told = f"{_encode(json.dumps(_HEADER).encode())}.{_encode(json.dumps(claims).encode())}"
        return f"{told}.{self._signature(told)}"

    def judge(self, token: str) -> Judgement:
        """Say whether the token was issued here, and whether its time is over."""
        told, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(told).encode()):
            return Judgement.UNKNOWN
        claims = json.loads(base64.urlsafe_b64decode(told.partition(".")[2] + "=="))
        return Judgement.GOOD if self._clock() < claims["exp"] else Judgement.EXPIRED

    def _signature(self, told: str) -> str:
        return _encode(hmac.digest(self._key, told.encode(), hashlib.sha256))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
