"""The client of Bandwidth's MFA API: send a code by SMS or call, and verify a code."""

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
    """A client for one Bandwidth account.  It is safe for threads, and after a fork.

    It keeps connections open for later calls.  ``close()`` and the end of a ``with`` block close
    them.  A closed client can still be used: its next call opens new connections.

    Credentials are either ``client_id`` and ``client_secret`` (OAuth 2.0) or ``username`` and
    ``password`` (HTTP Basic, which Bandwidth does not accept from 2 December 2026 on): exactly one
    pair.

    :param account_id: the id of the Bandwidth account.
    :param base_url: the URL of the API before ``/accounts/…``.
    :param token_url: the URL for OAuth 2.0 tokens.
    :param connect_timeout: the time limit for connecting, in seconds, for each address and for TLS.
    :param read_timeout: the longest time without data from the server, in seconds.
    :param total_timeout: the time limit for a whole call, in seconds, including the request for a
        token and a second attempt to connect.  Only name resolution can add to it.
    :param max_connections: the most idle connections to keep; use the number of concurrent calls.
    :raises ValueError: an argument is missing or wrong.  The message contains its name, but not its
        value.
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
        secrets = {
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
        # URLs with "." and ".." are normalised, which would remove the account.
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
        if _chosen_pair(secrets) == "client_id":
            token_url = _checked_url("token_url", token_url)
            token_transport = Transport(
                token_url, connect_timeout=connect_timeout, read_timeout=read_timeout
            )
            self._transports.append(token_transport)
            self._credentials = OAuthCredentials(
                secrets["client_id"], secrets["client_secret"], token_transport, token_url
            )
        else:
            self._credentials = BasicCredentials(secrets["username"], secrets["password"])

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

        Closing twice is harmless.  The next call opens new connections; an OAuth 2.0 token is kept.
        A running call in another thread ends normally, and its connection is closed then.  In a
        forked process only its own connections are closed, never those of its parent.
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
        """Ask Bandwidth to create a code and send it by SMS, and return the ``messageId``.

        :param to: the user's number in E.164 form.
        :param from_: a Bandwidth number of the account in E.164 form, assigned to the application.
        :param application_id: the id of the messaging application, at most 50 characters.
        :param message: the text, at most 2048 characters.  It must contain ``{CODE}``, and may
            contain ``{NAME}`` and ``{SCOPE}``.
        :param digits: the number of digits of the code, 2 to 8.
        :param scope: the purpose of the code, at most 25 characters.  A code of one scope never
            passes for another.
        :param callback_url: the URL to which Bandwidth posts delivery receipts; None for no
            receipts.
        :raises ValueError: an argument is not valid.  The message contains its name.
        :raises BandwidthError: Bandwidth did not accept the code for sending; see
            ``may_have_arrived``.
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
        """Ask Bandwidth to create a code and read it out in a call, and return the ``callId``.

        The arguments and errors are those of ``send_message``.  ``application_id`` is the id of the
        voice application.
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
        """Return whether ``code`` is right: Bandwidth answered 200 with ``{"valid": true}``.

        :param to: the number to which the code was sent, in E.164 form.
        :param from_: the number from which it was sent, in E.164 form.
        :param application_id: the id of the application with which the code was sent.
        :param code: the code, ``digits`` ASCII digits.
        :param digits: the number of digits of the code, 2 to 8.
        :param expiration_minutes: the greatest age of the code in minutes, over 0 and at most 15.
        :param scope: the scope with which the code was sent.
        :raises ValueError: an argument is not valid.  The message contains its name.
        :raises BandwidthError: Bandwidth gave no result; see ``may_have_arrived``.
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
        """Return the claims ``accounts`` and ``roles`` of the OAuth 2.0 token, if it has them.

        A token is requested if there is none.  Its signature is not checked, so only show the
        claims to people.  The result is empty with HTTP Basic, and if the token is not a JSON Web
        Token.

        :raises BandwidthError: no token could be obtained.
        """
        return self._credentials.claims(Deadline(self._total_timeout))

    def _call(self, endpoint: Endpoint, payload: Payload) -> Answer:
        payload.validate()
        deadline = Deadline(self._total_timeout)
        authorization = self._credentials.authorization(deadline)
        answer = self._post(endpoint, payload, authorization, deadline)
        if self._credentials.may_renew(answer.status, authorization):
            # The token may have been revoked.  Bandwidth has not acted on a refused request, so it
            # is safe to send it again.
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


def _chosen_pair(credentials: dict[str, Secret[str]]) -> str:
    """Return which pair of ``credentials`` is not empty: ``"client_id"`` or ``"username"``.

    :raises ValueError: not exactly one pair is complete.
    """
    names = {name for name, secret in credentials.items() if secret.reveal()}
    if names not in ({"client_id", "client_secret"}, {"username", "password"}):
        raise ValueError(
            "Pass client_id and client_secret (OAuth 2.0), or username and password (HTTP Basic). "
            f"You passed: {', '.join(sorted(names)) or 'none'}."
        )
    name = "client_id" if "client_id" in names else "username"
    if ":" in credentials[name].reveal():
        raise ValueError(f"{name} must not contain a colon, because HTTP Basic does not allow one.")
    return name


def _check_seconds(name: str, seconds: object) -> None:
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not (number and 0 < seconds <= 3600):  # type: ignore[operator]
        raise ValueError(f"{name} must be a number of seconds, over 0 and at most 3600.")


def _checked_url(name: str, url: str) -> str:
    """Return ``url``.

    :raises ValueError: it is not a usable URL, or has credentials, a query or a fragment.
    """
    usable = is_http_url(url) and not any(sign in url for sign in "?#@")
    if usable:
        try:
            usable = bool(urlsplit(requests.Request("POST", url).prepare().url or "").hostname)
        except (requests.RequestException, ValueError):  # its message contains the URL
            usable = False
    if not usable:
        raise ValueError(
            f"{name} must be an http or https URL without user name, query or fragment."
        )
    return url
