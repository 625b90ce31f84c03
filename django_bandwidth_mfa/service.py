"""The functions that a site's own code calls: send a code, verify a code, end sessions.

::

    challenge = service.send_code(user)
    if service.verify_code(challenge, "123456").passed:
        ...

All calls to Bandwidth go through this module.  :func:`send_code` and :func:`verify_code` count the
request against the limits before they call Bandwidth.  The count is committed in a transaction of
its own before the call begins.  If the caller has a transaction open, both functions raise
``RuntimeError`` and send nothing.

The functions whose names begin with "a" are for async code.  They use the database in the thread
that Django uses for it.  While they wait for Bandwidth, they block neither that thread nor the
event loop.

If ``CONN_MAX_AGE`` is 0, sending and verifying close the database connections of the request before
they call Bandwidth (a pool takes them back).  Settings that were made on such a connection, as with
SQL ``SET``, are lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from .exceptions import MFAError
from .internal.codes import recovery_codes, sending, verifying
from .internal.codes.steps import arun, run
from .internal.limits import rules, store
from .internal.login import first_factor, proofs, tickets
from .internal.login.mark import outlive
from .internal.login.second_factor import complete_by_site
from .internal.notify import events
from .internal.phones.source import phone_source
from .models import Challenge, Phone, SecondFactor
from .types import User
from .verification import (
    OWN_METHODS,
    CompletedLogin,
    LoginProof,
    PendingLogin,
    Verification,
)

__all__ = [
    "CompletedLogin",
    "LoginProof",
    "PendingLogin",
    "Verification",
    "aend_sessions",
    "ahas_phone",
    "aissue_recovery_codes",
    "arequire_new_code",
    "asend_code",
    "ause_recovery_code",
    "averify_code",
    "begin_login",
    "complete_login",
    "end_sessions",
    "has_phone",
    "is_in_force",
    "is_verified",
    "issue_recovery_codes",
    "issue_ticket",
    "park_login",
    "redeem_completion",
    "refusal_of",
    "require_new_code",
    "send_code",
    "use_recovery_code",
    "verify_code",
    "within_transaction",
]

_METHOD = re.compile(r"[a-z][a-z0-9_-]{0,29}")

# For the app's own flows, which add work before and after these steps.
send_steps = sending.send_steps
verify_steps = verifying.verify_steps


@sensitive_variables("phone")
def send_code(
    user: User,
    *,
    purpose: str = "login",
    phone: Phone | str | None = None,
    channel: str | None = None,
    request: HttpRequest | None = None,
) -> Challenge:
    """Ask Bandwidth to send ``user`` a code.

    :param purpose: ``"login"``, ``"step-up"`` or ``"enrol"``.
    :param phone: one of the user's confirmed phones, or its number; None for the primary one.  For
        ``"enrol"``, the phone that is to be confirmed.
    :param channel: ``"sms"`` or ``"voice"``; None for the :attr:`~.Phone.default_channel` of the
        phone: the one that its owner prefers, or else the first one that is set up.
    :param request: the request whose client address counts towards the limits; None to count no
        address.
    :raises NoPhone: the user does not have this phone.
    :raises NumberRefused: codes must not be sent to this number.
    :raises Limited: too many codes were sent lately, or Bandwidth asked for a wait.
    :raises Busy: too many other calls to Bandwidth are running; this one is not counted.
    :raises ProviderUnavailable: Bandwidth failed.  If ``may_have_arrived`` is True, the challenge
        is kept, and the user can type the code if it arrives.
    :raises ValueError: the purpose is unknown, or the channel is not set up.
    :raises RuntimeError: a transaction is open.
    """
    return run(send_steps(user, purpose=purpose, phone=phone, channel=channel, request=request))


@sensitive_variables("phone")
async def asend_code(
    user: User,
    *,
    purpose: str = "login",
    phone: Phone | str | None = None,
    channel: str | None = None,
    request: HttpRequest | None = None,
) -> Challenge:
    """Do what :func:`send_code` does, in async code.

    Neither the event loop nor the thread of the database waits for Bandwidth.  The call runs in a
    thread pool with ``MAX_CONCURRENT_CALLS`` + ``MAX_WAITING_CALLS`` threads.

    If the caller is cancelled, this function waits until the work has ended, and then raises
    ``asyncio.CancelledError``.  If the call to Bandwidth had already begun, it is completed, and
    its result counts.  Otherwise nothing is sent, and the limits are set back to what they were
    before.
    """
    return await arun(
        send_steps(user, purpose=purpose, phone=phone, channel=channel, request=request)
    )


@sensitive_variables("code")
def verify_code(
    challenge: Challenge, code: str, *, request: HttpRequest | None = None
) -> Verification:
    """Ask Bandwidth whether ``code`` is right.  A right code passes once.

    ``code`` may contain digits of any script, spaces and dashes.  It may also be the whole text
    message.  Bandwidth receives ASCII digits.

    The try is counted before Bandwidth is called.  A text that contains no code of the right
    length, or more than one, is wrong.  It is not counted, because Bandwidth is not called.

    A right code for the purpose ``"enrol"`` also confirms the phone, in the same transaction.

    :returns: a verification.  Its :attr:`~.Verification.passed` is False if the code is wrong, or
        was used before.
    :raises ChallengeExpired: the challenge has expired, or its phone was removed.
    :raises ChallengeUsed: the challenge has already passed, or has no tries left.
    :raises Limited: too many wrong codes in a row, or Bandwidth asked for a wait.
    :raises Locked: the user has typed ``FAILURES_BEFORE_LOCK`` wrong codes in a row.
    :raises Busy: too many other calls to Bandwidth are running; this one is not counted.
    :raises ProviderUnavailable: Bandwidth failed.  The try counts only if ``may_have_arrived`` is
        True.
    :raises RuntimeError: a transaction is open.
    """
    return run(verify_steps(challenge, code, request=request))


@sensitive_variables("code")
async def averify_code(
    challenge: Challenge, code: str, *, request: HttpRequest | None = None
) -> Verification:
    """Do what :func:`verify_code` does, in async code.

    Waiting and cancelling work as for :func:`asend_code`.  If the caller is cancelled after the
    call to Bandwidth has begun, a right code is used up.
    """
    return await arun(verify_steps(challenge, code, request=request))


@sensitive_variables()
def issue_recovery_codes(user: User, *, request: HttpRequest | None = None) -> list[str]:
    """Create ``RECOVERY_CODES`` new recovery codes for ``user``, and delete the old ones.

    Each code takes about 40 ms of processor time, because it is hashed with scrypt, which is slow
    on purpose.

    :returns: the codes, such as ``"7KQ2-M9XD-4TBN"``.  They cannot be read again later.
    :raises Limited: five sets were created lately.  The old set stays valid.
    :raises RuntimeError: a transaction is open.
    """
    return recovery_codes.issue(user, request=request)


@sensitive_variables()
async def aissue_recovery_codes(user: User, *, request: HttpRequest | None = None) -> list[str]:
    """Do what :func:`issue_recovery_codes` does, in async code."""
    return await sync_to_async(issue_recovery_codes)(user, request=request)


@sensitive_variables("code", "typed", "text", "secret")
def use_recovery_code(user: User, code: str, *, request: HttpRequest | None = None) -> Verification:
    """Verify a recovery code of ``user``.  A right code works once, and unlocks codes by phone.

    ``code`` may be in upper or lower case, with or without spaces and dashes.  The try is counted
    before the code is checked.  A text that cannot be a recovery code is wrong and is not counted.

    :returns: a verification.  Its :attr:`~.Verification.passed` is False if the code is wrong, or
        was used before.
    :raises Limited: too many wrong recovery codes in a row.
    :raises RuntimeError: a transaction is open.
    """
    return recovery_codes.use(user, code, request=request)


def complete_login(request: HttpRequest, user: User, *, method: str) -> str:
    """Complete the parked login of ``request``, after a second factor of the site's own has passed.

    ::

        user = request.mfa.pending_user
        if user is not None and is_right(user, request.POST["answer"]):
            return redirect(service.complete_login(request, user, method="security_key"))

    The effect is that of a right code: the session gets a new key and is marked as verified, the
    user is logged in with the backend of the first factor, and
    :data:`~django_bandwidth_mfa.signals.login_completed` is sent.  The site itself must limit wrong
    answers, and must accept each right answer only once.

    :param user: the user who has passed the factor.  It must be the user whose login is parked.
    :param method: the future value of ``request.mfa.method``.  It starts with a lower-case letter,
        followed by lower-case letters, digits, ``-`` and ``_``; at most 30 characters.
    :returns: the URL to redirect to.
    :raises SessionEnded: no login is parked in this session, or it has expired, or another request
        has completed it.
    :raises django.core.exceptions.PermissionDenied: the parked login belongs to another user.
    :raises ValueError: ``method`` is a method of this app, or does not have the form above.
    """
    # A factor named "sms" would be accepted by views that require a code verified by Bandwidth.
    if method in OWN_METHODS or not _METHOD.fullmatch(method):
        raise ValueError(
            f"method must be a name of lower-case letters, digits, - and _, and not one of "
            f"{', '.join(sorted(OWN_METHODS))}; it is {method!r}."
        )
    return complete_by_site(request, user, method)


@sensitive_variables("code")
async def ause_recovery_code(
    user: User, code: str, *, request: HttpRequest | None = None
) -> Verification:
    """Do what :func:`use_recovery_code` does, in async code."""
    return await sync_to_async(use_recovery_code)(user, code, request=request)


def end_sessions(user: User, *, keep: HttpRequest | None = None) -> None:
    """End all sessions of ``user`` within ``RECHECK_SECONDS``, and forget their trusted browsers.

    :param keep: a request whose session stays signed in (for "sign out everywhere else"); None to
        end all sessions.
    """
    before = SecondFactor.objects.end_sessions(user)
    if keep is not None:
        outlive(keep.session, user, before)
    events.signed_out_others(user, keep)


async def aend_sessions(user: User, *, keep: HttpRequest | None = None) -> None:
    """Do what :func:`end_sessions` does, in async code."""
    await sync_to_async(end_sessions)(user, keep=keep)


def require_new_code(user: User, *, keep: HttpRequest | None = None) -> None:
    """Make all sessions of ``user`` owe a code again, and forget their trusted browsers.

    It takes effect within ``RECHECK_SECONDS``.  A site with ``GET_PHONES`` calls it when a number
    of the user has changed, for example.

    :param keep: a request whose session stays verified; None for no session.
    """
    before = SecondFactor.objects.require_new_code(user)
    if keep is not None:
        outlive(keep.session, user, before)


def refusal_of(user: User) -> MFAError | None:
    """Return the error that :func:`verify_code` would raise for ``user`` now; None if it would not.

    The error is a :class:`~.exceptions.Locked` or a :class:`~.exceptions.Limited`, because of wrong
    codes.  This function counts nothing.  :func:`verify_code` checks the limits again, since
    somebody else may type codes in the meantime.
    """
    return rules.refusal_of_try(user)


def within_transaction() -> AbstractContextManager[None]:
    """Allow :func:`send_code` and :func:`verify_code` inside an open transaction.

    ::

        with transaction.atomic():
            with service.within_transaction():
                verification = service.verify_code(challenge, code)

    Use it only if there is no other way.  **Commit the transaction whatever the result is.**  A
    rollback also undoes the count of a wrong code: an attacker who can cause a rollback has an
    unlimited number of tries.  The transaction keeps its locks while Bandwidth is called.  Some
    locks of a send are shared by all users.

    ``contrib/otp`` needs it on SQLite, which does not allow two connections to write at the same
    time.
    """
    return store.within_transaction()


async def arequire_new_code(user: User, *, keep: HttpRequest | None = None) -> None:
    """Do what :func:`require_new_code` does, in async code."""
    await sync_to_async(require_new_code)(user, keep=keep)


def has_phone(user: User) -> bool:
    """Return whether ``user`` has a confirmed phone."""
    return phone_source().has_confirmed(user)


async def ahas_phone(user: User) -> bool:
    """Do what :func:`has_phone` does, in async code."""
    return await sync_to_async(has_phone)(user)


@sensitive_variables()
def begin_login(
    user: User, *, backend: str, request: HttpRequest | None = None
) -> CompletedLogin | PendingLogin:
    """Begin a login without cookies for ``user``, whose password has just been checked.

    It is for a view of the site that exchanges a password for a token.

    :param backend: the dotted path of the backend that accepted the password: ``user.backend``.
    :param request: the current request.  It is passed to the policy, and to the receivers of
        :data:`~django_bandwidth_mfa.signals.login_completed`.
    :returns: a :class:`~.verification.PendingLogin` if a code is owed.  Its ticket is for the
        client, which exchanges it for a completion at the JSON API.  Otherwise a
        :class:`~.verification.CompletedLogin`, and :data:`~.signals.login_completed` is sent.
    """
    return tickets.begin(user, backend, request)


def park_login(user: User, *, backend: str, request: HttpRequest, next: str = "") -> bool:
    """Park a login of ``user`` in the session of ``request``, if ``user`` owes a code.

    It is for a site, or a package, with login steps of its own before Django's ``login()``.  A
    login by ``login()`` itself is parked without this function.  Call it when every other step has
    passed.  If it returns True, do not call ``login()``: the right code logs the user in, and
    :data:`~django_bandwidth_mfa.signals.login_completed` is sent.

    :param backend: the dotted path of the backend that authenticated the user.
    :param next: the URL to which the code page leads.  It is not checked: do not pass a value from
        the browser without :func:`~django.utils.http.url_has_allowed_host_and_scheme`.
    :returns: whether a code is owed, so that the login is parked now.
    """
    return first_factor.park_before_login(request, user, backend, next)


@sensitive_variables()
def issue_ticket(user: User, *, backend: str) -> str:
    """Return a login ticket for ``user``, whose password has just been checked.

    It is for a login view of the site that uses no cookies.  The client sends the ticket and the
    code to the JSON API, which answers with a completion.  This function itself sends no code.

    :param backend: the dotted path of the backend that accepted the password: ``user.backend``.
    """
    return tickets.text_of(tickets.new_ticket(user, backend))


@sensitive_variables()
def redeem_completion(
    completion: str,
    *,
    request: HttpRequest | None = None,
    check: Callable[[User], object] | None = None,
) -> CompletedLogin:
    """Exchange ``completion`` for the login that it represents.  Each completion works once.

    It sends :data:`~django_bandwidth_mfa.signals.login_completed`.

    :param completion: the text that the JSON API returned for the right code, less than a minute
        ago.
    :param request: the current request, for the receivers of the signal.
    :param check: is called with the user before the login counts.  It raises an error for a user
        whom the site does not let in.  That error goes on, and no signal is sent.
    :raises TicketInvalid: the completion was not signed by this site, is too old, or was used
        before; or its user was deactivated, deleted or signed out, or has another password now.
    """
    return tickets.redeem(completion, request, check)


def is_in_force(proof: LoginProof, *, request: HttpRequest | None = None) -> bool:
    """Return whether a login by token is still valid.  Each call queries the database.

    The login is no longer valid if the user was deactivated, signed out everywhere else, or has
    another password now.  A login with a code is no longer valid if a new code was required since,
    or if its phone was removed.  A login without a code is not valid if the user owes one.

    :param proof: the record of the login, from the token.  Its user was just read from the
        database.
    :param request: the current request, for the policy.
    """
    return proofs.is_in_force(proof, request)


def is_verified(
    proof: LoginProof,
    *,
    max_age: float | None = None,
    methods: Collection[str] | None = None,
) -> bool:
    """Return whether a login by token has passed a second factor and is still valid.

    :param max_age: the greatest age of the second factor, in seconds; None for any age.
    :param methods: the second factor must be one of these methods; None for any method.  With
        ``{"sms", "voice"}`` only codes that Bandwidth has verified count.
    """
    return proofs.is_verified(proof, max_age, methods)
