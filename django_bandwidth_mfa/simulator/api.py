"""The MFA API without an HTTP server: credentials, routing and answers."""

import base64
import binascii
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import parse_qsl

from . import contract
from .faults import Fault
from .state import Message, State, TooManyWrongCodesError
from .tokens import TOKEN_SECONDS, Judgement, Tokens

API_PREFIX = "/api/v1"
TOKEN_PATH = f"{API_PREFIX}/oauth2/token"
JSON_TYPE = "application/json; charset=utf-8"

_CODE_PATH = re.compile(rf"{API_PREFIX}/accounts/([^/]+)/code/(messaging|voice|verify)")
_SHOWN_FORM_FIELDS = ("grant_type", "scope")


@dataclass(frozen=True)
class Credentials:
    """The account of the simulator, and both kinds of its credentials."""

    account: str
    username: str
    password: str
    client_id: str
    client_secret: str


@dataclass(frozen=True)
class Response:
    """An answer that can be written.  ``sent`` is the text message that the request has sent."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    sent: Message | None = None

    @classmethod
    def json(cls, status: int, data: object) -> "Response":
        """Return an answer with ``data`` as JSON."""
        return cls(status, json.dumps(data).encode())


@dataclass(frozen=True)
class Route:
    """The endpoint of a path, and its account (None for the token endpoint)."""

    endpoint: str
    account: str | None = None

    @classmethod
    def find(cls, method: str, path: str) -> "Route | None":
        """Return the route; None if Bandwidth's gateway has no such route."""
        if method != "POST":
            return None
        if path == TOKEN_PATH:
            return cls("token")
        match = _CODE_PATH.fullmatch(path)
        return cls(match[2], match[1]) if match else None


class API:
    """Answers requests as Bandwidth does.

    It checks in Bandwidth's order: path, credentials, account, fields.
    """

    def __init__(
        self,
        state: State,
        credentials: Credentials,
        tokens: Tokens,
        *,
        applications: Collection[str],
        throttle_seconds: int,
    ) -> None:
        self._state = state
        self._credentials = credentials
        self._tokens = tokens
        self._applications = applications
        self._throttled = contract.too_many_wrong(throttle_seconds)

    def answer(self, route: Route, authorization: str, content_type: str, body: bytes) -> Response:
        """Return the answer to a request to a known path.

        :param authorization: the header ``Authorization``; empty if it is missing.
        :param content_type: the header ``Content-Type``; empty if it is missing.
        """
        if route.account is None:
            return self._token(authorization, content_type, body)
        refused = self._refused(authorization)
        if refused is not None:
            return error(refused)
        if route.account != self._credentials.account:
            return error(HTTPStatus.FORBIDDEN)
        try:
            data = contract.load_request(content_type, body)
            return self._code(route.endpoint, data)
        except contract.ContractError as refusal:
            return error(HTTPStatus.BAD_REQUEST, str(refusal))
        except TooManyWrongCodesError:
            return error(HTTPStatus.TOO_MANY_REQUESTS, self._throttled)

    def _code(self, endpoint: str, data: Mapping[str, object]) -> Response:
        if endpoint == "verify":
            valid = self._state.verify(contract.parse_verify_request(data))
            return Response.json(HTTPStatus.OK, {"valid": valid})
        request = contract.parse_code_request(data)
        if self._applications and request.application_id not in self._applications:
            raise contract.ContractError("applicationId is not one of the account's")
        if endpoint == "voice":
            return Response.json(HTTPStatus.OK, {"callId": self._state.send("voice", request).id})
        message = self._state.send("sms", request)
        return replace(Response.json(HTTPStatus.OK, {"messageId": message.id}), sent=message)

    def _token(self, authorization: str, content_type: str, body: bytes) -> Response:
        known = (self._credentials.client_id, self._credentials.client_secret)
        if _basic(authorization) != known:
            return error(HTTPStatus.UNAUTHORIZED)
        # Error names: RFC 6749, section 5.2.
        if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
            return error(HTTPStatus.BAD_REQUEST, "invalid_request")
        if _form(body).get("grant_type") != "client_credentials":
            return error(HTTPStatus.BAD_REQUEST, "unsupported_grant_type")
        token = self._tokens.issue()
        return Response.json(
            HTTPStatus.OK,
            {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS},
        )

    def _refused(self, authorization: str) -> HTTPStatus | None:
        """Return the status of a refusal: 401 for no credentials, 403 for wrong ones.

        Bandwidth's own tests expect these.  They do not test an expired token, for which RFC 6750
        requires 401.
        """
        if not authorization.strip():
            return HTTPStatus.UNAUTHORIZED
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "bearer":
            judgement = self._tokens.judge(value.strip())
            if judgement is Judgement.EXPIRED:
                return HTTPStatus.UNAUTHORIZED
            return None if judgement is Judgement.GOOD else HTTPStatus.FORBIDDEN
        known = (self._credentials.username, self._credentials.password)
        return None if _basic(authorization) == known else HTTPStatus.FORBIDDEN


def error(status: int, detail: str | None = None) -> Response:
    """Return an error in the form that Bandwidth uses for ``status``."""
    return Response.json(status, contract.error_body(status, detail))


def unknown_path() -> Response:
    """Return the answer of the API gateway to an unknown path."""
    return Response.json(HTTPStatus.FORBIDDEN, {"message": contract.MISSING_TOKEN})


def fault_answer(fault: Fault) -> Response:
    """Return the answer for a fault with a status or a body."""
    status = fault.status or HTTPStatus.OK
    if fault.body is not None:
        content = Response(status, fault.body.encode(errors="replace"))
    elif status < HTTPStatus.BAD_REQUEST:
        content = Response.json(status, {})
    else:
        content = error(status)
    if status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):  # no body is allowed for these
        content = Response(status, b"")
    return content


def readable_body(route: Route | None, body: bytes) -> object:
    """Return a request body for ``/requests.json``: parsed JSON, the token form, or text.

    Fields of the token form with secrets are masked.
    """
    if route and route.account is None:
        return {
            name: value if name in _SHOWN_FORM_FIELDS else "********"
            for name, value in _form(body).items()
        }
    try:
        return json.loads(body, parse_constant=str)  # with NaN the list would not be JSON
    except (ValueError, RecursionError):
        return body.decode(errors="replace")


def _basic(authorization: str) -> tuple[str, str] | None:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None


def _form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode(errors="replace")))
