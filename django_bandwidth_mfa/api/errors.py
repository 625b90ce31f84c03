"""The error responses of the API: they have one form, and stable codes.

::

    {"error": {"code": "limited", "message": "You can get another code in 30 seconds.",
               "retry_after": 30, "limit": "cooldown"}}

``code`` is for programs and never changes.  ``message`` is for users, in their language.
``retry_after`` is in seconds, and is also sent as the header ``Retry-After``; it is null if no time
is known.  ``limit`` is the name of the limit that was reached; null for other errors.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.http import JsonResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .. import exceptions
from ..exceptions import MFAError

__all__ = ["ERRORS", "APIError", "ErrorKind", "answer_to", "error_of"]


# The scheme of a ticket in the header Authorization.  Logs, error reports and proxies know that
# this header contains a secret, and hide it.
TICKET_SCHEME = "MFA-Ticket"


@dataclass(frozen=True)
class ErrorKind:
    """One kind of error.

    ``status`` is the HTTP status.  ``message`` is for users; an error may have a more exact one.
    ``meaning`` is for the documentation.
    """

    status: int
    message: str | Promise
    meaning: str


ERRORS = {
    # Wrong requests.
    "not_found": ErrorKind(404, _("There is nothing here."), "The API has no such URL."),
    "method_not_allowed": ErrorKind(
        405,
        _("This address does not take this method."),
        "The header Allow lists the methods of this URL.",
    ),
    "wrong_content_type": ErrorKind(
        415, _("Send JSON."), "The body must have the content type application/json."
    ),
    "body_too_large": ErrorKind(
        413, _("The body is too large."), "A body may have at most 16 KiB."
    ),
    "bad_json": ErrorKind(
        400, _("The body is not a JSON object."), "The body must be a JSON object in UTF-8."
    ),
    "invalid": ErrorKind(
        400, _("Something in the request is not right."), "A field is missing, wrong or unknown."
    ),
    "csrf_failed": ErrorKind(
        403,
        _("The page is out of date. Reload it and try again."),
        "Send the csrf_token of the state in the header X-CSRFToken, from an origin of the site.",
    ),
    "cookie_and_ticket": ErrorKind(
        400,
        _("Send a session or a ticket, not both."),
        "Send a request with a ticket, or a login by ticket, without the cookie of a session.",
    ),
    # Access.
    "wrong_credentials": ErrorKind(
        401,
        _("That user name and password do not match. Please check both."),
        "There is no such user, the password is wrong, or the user is not active.",
    ),
    "ticket_invalid": ErrorKind(
        401,
        exceptions.TicketInvalid.message,
        "The ticket was used, is too old or was not issued here, or its user has changed the "
        "password.",
    ),
    "sign_in_required": ErrorKind(
        401, _("Please sign in."), "No password was sent, or it was sent too long ago."
    ),
    "sign_in_again": ErrorKind(
        403,
        _("To add your first phone, please sign in again."),
        "A first phone needs a sign-in of the last 15 minutes. A user with another factor must "
        "have passed it.",
    ),
    "session_ended": ErrorKind(
        401, exceptions.SessionEnded.message, "The login ended while the code was checked."
    ),
    "code_required": ErrorKind(
        403, _("A code is needed here."), "Send a code and verify it, then repeat the request."
    ),
    "phone_required": ErrorKind(
        403,
        _("A code is needed here, and you have no phone."),
        "Add a phone, then repeat the request.",
    ),
    "on_behalf": ErrorKind(
        403,
        _("You are here on behalf of somebody else, whose second factor is theirs alone."),
        "Staff who use the account of a user cannot use this part of the API.",
    ),
    "phones_kept_by_site": ErrorKind(
        403,
        _("Your phone numbers are kept elsewhere on this site."),
        "With GET_PHONES, only the site itself changes phone numbers.",
    ),
    # Codes.
    "wrong_code": ErrorKind(
        400,
        _("That is not the code we sent. Check it and try again."),
        "The code was wrong, or has been used.",
    ),
    "wrong_recovery_code": ErrorKind(
        400,
        _("That recovery code is wrong or already used."),
        "The recovery code was wrong, or has been used.",
    ),
    "code_expired": ErrorKind(
        409, exceptions.ChallengeExpired.message, "There is no valid code. Send one."
    ),
    "code_used": ErrorKind(
        409, exceptions.ChallengeUsed.message, "The code has passed, or has no tries left."
    ),
    "locked": ErrorKind(
        403,
        exceptions.Locked.message,
        "Codes by phone are locked. A recovery code or a reset by staff unlocks them.",
    ),
    "limited": ErrorKind(
        429,
        _("Please wait, then try again."),
        "A limit is reached. The field limit has its name, if it is known.",
    ),
    "busy": ErrorKind(
        429, exceptions.Busy.message, "Nothing was counted. Repeat the request in a moment."
    ),
    "provider_unavailable": ErrorKind(
        503,
        exceptions.ProviderUnavailable.message,
        "Bandwidth could not be reached, and nothing was sent.",
    ),
    "outcome_unknown": ErrorKind(
        503,
        exceptions.ProviderUnavailable.message,
        "Bandwidth did not answer. A code may arrive, or the code that was tried may be used up.",
    ),
    "unavailable": ErrorKind(
        503, _("The site is not available right now."), "The database cannot be reached."
    ),
    # Phones, recovery codes and browsers.
    "number_refused": ErrorKind(
        400,
        _("We cannot send codes to this number."),
        "The text is not a phone number, or codes are not sent to this number.",
    ),
    "no_such_phone": ErrorKind(
        404, exceptions.NoPhone.message, "The user has no such confirmed phone."
    ),
    "no_such_browser": ErrorKind(
        404, _("This browser is not trusted."), "The user does not trust such a browser."
    ),
    "no_enrolment": ErrorKind(
        409, _("No phone is being added. Please begin again."), "Add a phone first."
    ),
    "last_phone": ErrorKind(
        409,
        exceptions.LastPhone.message,
        "The user needs a phone, so the only phone cannot be removed.",
    ),
    "refused": ErrorKind(
        400, MFAError.message, "The reason is another one. The field message says which."
    ),
}

_CODES: dict[type[MFAError], str] = {
    exceptions.Busy: "busy",
    exceptions.ChallengeExpired: "code_expired",
    exceptions.ChallengeUsed: "code_used",
    exceptions.CodeOwed: "code_required",
    exceptions.LastPhone: "last_phone",
    exceptions.Limited: "limited",
    exceptions.Locked: "locked",
    exceptions.NoPhone: "no_such_phone",
    exceptions.NumberRefused: "number_refused",
    exceptions.ProviderUnavailable: "provider_unavailable",
    exceptions.SessionEnded: "session_ended",
    exceptions.TicketInvalid: "ticket_invalid",
}


class APIError(Exception):
    """An error that the API returns.

    :param code: a key of :data:`ERRORS`.
    :param message: the message for users; None for the message of the kind.
    :param retry_after: the wait in seconds; None if it is not known.
    :param limit: the name of the limit that was reached; None for other errors.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        retry_after: int | None = None,
        limit: str | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.limit = limit


def error_of(error: MFAError) -> APIError:
    """Return ``error`` as an error of the API."""
    known = (kind for kind in type(error).__mro__ if kind in _CODES)
    code = _CODES.get(next(known, MFAError), "refused")
    if getattr(error, "may_have_arrived", False):
        code = "outcome_unknown"
    return APIError(
        code,
        str(error),
        retry_after=getattr(error, "retry_after", None),
        limit=getattr(error, "limit", None),
    )


def answer_to(error: APIError) -> JsonResponse:
    """Return the response for ``error``."""
    kind = ERRORS[error.code]
    details = {
        "code": error.code,
        "message": error.message or str(kind.message),
        "retry_after": error.retry_after,
        "limit": error.limit,
    }
    answer = JsonResponse({"error": details}, status=kind.status)
    if kind.status == 401:
        # Required by RFC 9110, 11.6.1.  Browsers do not know this scheme, so they show no password
        # prompt.
        answer["WWW-Authenticate"] = TICKET_SCHEME
    if error.retry_after is not None:
        answer["Retry-After"] = str(error.retry_after)
    return answer
