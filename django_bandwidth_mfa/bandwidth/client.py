"""Bandwidth's MFA API: send a code by SMS or by phone call, and ask whether a code is right."""

from __future__ import annotations

from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

import requests

from .answers import failure_error, read_id, read_verdict
from .credentials import BasicCredentials, Credentials, OAuthCredentials
from .errors import Endpoint
from .payloads import Payload, is_http_url
from .secret import Secret
from .transport import Answer, Deadline, Failure, Transport

BASE_URL = "https://mfa.bandwidth.com/api/v1"
TOKEN_URL = "https://api.bandwidth.com/api/v1/oauth2/token"  # noqa: S105


class BandwidthClient:
    """A client of one Bandwidth account. Safe to share among threads and to keep across a fork.

    It keeps connections open for the next call. `close()` closes them, and so does the end of a
    `with` block. A closed client can still be used: its next call opens new connections.

    Credentials are either `client_id` and `client_secret` (OAuth 2.0) or `username` and `password`
    (HTTP Basic, which Bandwidth does not accept from 2 December 2026 on): exactly one pair.

    Args:
        account_id: the Bandwidth account's id.
        base_url: the API up to, and without, `/accounts/…`.
        token_url: where OAuth 2.0 tokens come from.
        connect_timeout: seconds for a connection, per address and for TLS.
        read_timeout: seconds without a byte from the server.
        total_timeout: seconds for a whole call, fetching a token and a second attempt at
            connecting included. Only name resolution can add to it.
        max_connections: how many idle connections are kept for the next calls: as many as there
            are calls at once.

    Raises:
        ValueError: an argument is missing or wrong; it is named, and its value is not repeated.
    """

    def __init__(
        self,
        *,
        account_id: str,
        username: str | None = None,
        password: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        base_url: str = BASE_URL,
        token_url: str = TOKEN_URL,
        connect_timeout: float = 3.05,
        read_timeout: float = 5,
        total_timeout: float = 8,
        max_connections: int = 10,
    ) -> None:
        given = {
            "username": Secret(username or ""),
            "password": Secret(password or ""),
            "client_id": Secret(client_id or ""),
            "client_secret": Secret(client_secret or ""),
        }
        del username, password, client_id, client_secret  # error pages print locals
        for name, seconds in (
            ("connect_timeout", connect_timeout),
            ("read_timeout", read_timeout),
            ("total_timeout", total_timeout),
        ):
            _check_seconds(name, seconds)
        if not isinstance(max_connections, int) or max_connections < 1:
            raise ValueError("max_connections must be a whole number of 1 or more.")
        # "." and ".." would be resolved away, and with them the account.
        if not isinstance(account_id, str) or account_id.strip(" .") == "":
            raise ValueError("account_id must be the id of a Bandwidth account.")
        self._account_id = account_id
        self._base_url = _checked_url("base_url", base_url).rstrip("/")
        self._codes_url = f"{self._base_url}/accounts/{quote(account_id, safe='')}/code"
        self._total_timeout = float(total_timeout)
        self._transport = Transport(
            self._base_url,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            max_connections=max_connections,
        )
        self._transports = [self._transport]
        self._credentials: Credentials
        if _chosen_pair(given) == "client_id":
            token_url = _checked_url("token_url", token_url)
            token_transport = Transport(
                token_url, connect_timeout=connect_timeout, read_timeout=read_timeout
            )
            self._transports.append(token_transport)
            self._credentials = OAuthCredentials(
                given["client_id"], given["client_secret"], token_transport, token_url
            )
        else:
            self._credentials = BasicCredentials(given["username"], given["password"])

    def __repr__(self) -> str:
        return f"<BandwidthClient for account {self._account_id} at {self._base_url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections to the API and to the token endpoint.

        Closing twice is harmless. The next call opens new connections; an OAuth 2.0 token is kept.
        A call that is under way in another thread ends normally, and its connection is closed then.
        In a forked child only the child's own connections are closed, never its parent's.
        """
        for transport in self._transports:
            transport.close()

    def send_message(
        self,
        *,
        to: str,
        from_: str,
        application_id: str,
        message: str,
        digits: int,
        scope: str = "2FA",
        callback_url: str | None = None,
    ) -> str:
        """Have Bandwidth make a code and send it by SMS. Returns the `messageId`.

        Args:
            to: the user's number, E.164.
            from_: a Bandwidth number of the account, E.164, tied to the application.
            application_id: the messaging application's id, at most 50 characters.
            message: at most 2048 characters; must hold `{CODE}`, may hold `{NAME}`, `{SCOPE}`.
            digits: length of the code, 2 to 8.
            scope: what the code is for, at most 25 characters; codes of one scope never pass
                another.
            callback_url: where Bandwidth posts delivery receipts.

        Raises:
            ValueError: an argument breaks its rule; it is named.
            BandwidthError: no code was accepted for sending; see `may_have_arrived`.
        """
        payload = Payload(
            to=to,
            from_=from_,
            application_id=application_id,
            scope=scope,
            message=message,
            digits=digits,
            **({} if callback_url is None else {"callback_url": callback_url}),
        )
        del to, from_, callback_url  # error pages print locals
        return read_id(self._call("messaging", payload), "messaging", "messageId")

    def send_call(
        self,
        *,
        to: str,
        from_: str,
        application_id: str,
        message: str,
        digits: int,
        scope: str = "2FA",
    ) -> str:
        """Have Bandwidth make a code and read it out in a phone call. Returns the `callId`.

        Arguments and errors are those of `send_message`; `application_id` is the voice
        application's.
        """
        payload = Payload(
            to=to,
            from_=from_,
            application_id=application_id,
            scope=scope,
            message=message,
            digits=digits,
        )
        del to, from_  # error pages print locals
        return read_id(self._call("voice", payload), "voice", "callId")

    def verify(
        self,
        *,
        to: str,
        from_: str,
        application_id: str,
        code: str,
        digits: int,
        expiration_minutes: float,
        scope: str = "2FA",
    ) -> bool:
        """Ask Bandwidth whether `code` is right. `True` only for 200 and `{"valid": true}`.

        Args:
            to: the number that the code went to, E.164.
            from_: the number that it came from, E.164.
            application_id: the one used to send the code.
            code: ASCII digits, as many as `digits` says.
            digits: length of the code, 2 to 8.
            expiration_minutes: how old the code may be, over 0 and at most 15.
            scope: the one used to send the code.

        Raises:
            ValueError: an argument breaks its rule; it is named.
            BandwidthError: Bandwidth gave no verdict; see `may_have_arrived`.
        """
        payload = Payload(
            to=to,
            from_=from_,
            application_id=application_id,
            scope=scope,
            code=code,
            digits=digits,
            expiration_minutes=expiration_minutes,
        )
        del to, from_, code  # error pages print locals
        return read_verdict(self._call("verify", payload))

    def token_claims(self) -> dict[str, list[str]]:
        """What the OAuth 2.0 token says of itself: `accounts` and `roles`, where they are there.

        A token is fetched if there is none. Its signature is not checked: show this to people, and
        decide nothing by it. Empty with HTTP Basic, or where the token is no JSON Web Token.

        Raises:
            BandwidthError: there is no token to be had.
        """
        return self._credentials.claims(Deadline(self._total_timeout))

    def _call(self, endpoint: Endpoint, payload: Payload) -> Answer:
        payload.validate()
        deadline = Deadline(self._total_timeout)
        authorization = self._credentials.authorization(deadline)
        answer = self._post(endpoint, payload, authorization, deadline)
        if self._credentials.may_renew(answer.status, authorization):
            # The token may have been revoked. Refused means not acted upon: asking again is safe.
            authorization = self._credentials.authorization(deadline, refused=authorization)
            answer = self._post(endpoint, payload, authorization, deadline)
        return answer

    def _post(
        self,
        endpoint: Endpoint,
        payload: Payload,
        authorization: Secret[str],
        deadline: Deadline,
    ) -> Answer:
        outcome = self._transport.post(
            f"{self._codes_url}/{endpoint}",
            body=payload.encode(),
            content_type="application/json",
            authorization=authorization,
            deadline=deadline,
        )
        if isinstance(outcome, Failure):
            raise failure_error(outcome, endpoint)
        return outcome


def _chosen_pair(given: dict[str, Secret[str]]) -> str:
    """The user name of the pair that is given, whole and alone: `"client_id"` or `"username"`."""
    names = {name for name, secret in given.items() if secret.reveal()}
    if names not in ({"client_id", "client_secret"}, {"username", "password"}):
        raise ValueError(
            "Give either client_id and client_secret (OAuth 2.0) or username and password (HTTP "
            f"Basic); given: {', '.join(sorted(names)) or 'none'}."
        )
    name = "client_id" if "client_id" in names else "username"
    if ":" in given[name].reveal():
        raise ValueError(f"{name} must not hold a colon, which HTTP Basic cannot carry.")
    return name


def _check_seconds(name: str, seconds: object) -> None:
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not (number and 0 < seconds <= 3600):  # type: ignore[operator]
        raise ValueError(f"{name} must be a number of seconds, over 0 and at most 3600.")


def _checked_url(name: str, url: str) -> str:
    """The URL, if requests can post to it and it holds no credentials, query or fragment."""
    usable = is_http_url(url) and not any(sign in url for sign in "?#@")
    if usable:
        try:
            usable = bool(urlsplit(requests.Request("POST", url).prepare().url or "").hostname)
        except (requests.RequestException, ValueError):  # its message quotes the URL
            usable = False
    if not usable:
        raise ValueError(
            f"{name} must be an http or https URL without user name, query or fragment."
        )
    return url
