"""A passkey in software: it signs what a server asks, as a security key does (WebAuthn)."""

from __future__ import annotations

import json
import secrets
from hashlib import sha256
from typing import Any

from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal.auth import WebAuthn
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
)

SITE = sha256(b"testserver").digest()
FLAGS = AuthenticatorData.FLAG


class Passkey:
    """A passkey of ``user``, which allauth knows as :attr:`row`."""

    def __init__(self, user: Any) -> None:
        self.user = user
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._id = secrets.token_bytes(16)
        public = ES256.from_cryptography_key(self._key.public_key())
        known = AttestedCredentialData.create(Aaguid(bytes(16)), self._id, public)
        data = AuthenticatorData.create(SITE, FLAGS.UP | FLAGS.UV | FLAGS.AT, 0, known)
        attestation = AttestationObject.create("none", data, {})
        credential = {
            **self._named(),
            "response": {
                "clientDataJSON": websafe_encode(_client_data("webauthn.create", "")),
                "attestationObject": websafe_encode(bytes(attestation)),
            },
        }
        self.row: Authenticator = WebAuthn.add(user, "Key", credential).instance

    def answer(self, challenge: str) -> str:
        """Return what the browser posts after its user has touched the key, as JSON."""
        client_data = _client_data("webauthn.get", challenge)
        data = bytes(AuthenticatorData.create(SITE, FLAGS.UP | FLAGS.UV, 1))
        signature = self._key.sign(data + sha256(client_data).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": websafe_encode(client_data),
            "authenticatorData": websafe_encode(data),
            "signature": websafe_encode(signature),
            "userHandle": websafe_encode(user_pk_to_url_str(self.user).encode()),
        }
        return json.dumps({**self._named(), "response": response})

    def _named(self) -> dict[str, Any]:
        name = websafe_encode(self._id)
        return {"type": "public-key", "id": name, "rawId": name, "clientExtensionResults": {}}


def _client_data(kind: str, challenge: str) -> bytes:
    client_data = {"type": kind, "challenge": challenge, "origin": "https://testserver"}
    return json.dumps(client_data).encode()
