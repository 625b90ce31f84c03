"""The second factor, for a site's own code: send a code, verify a code, end sessions.

::

    challenge = service.send_code(user)
    if service.verify_code(challenge, "123456").passed:
        ...

This module is the only door to Bandwidth.  :func:`send_code` and :func:`verify_code` count before
they ask.  The count has a transaction of its own, which is over before the request to Bandwidth
begins.  Inside a transaction of the caller both raise ``RuntimeError`` and send nothing.

The functions whose names begin with "a" do the same in an event loop.  They use the database in the
thread in which Django does, and hold neither that thread nor the loop while Bandwidth is asked.

While a request is handled, sending and verifying close its database connections before they ask, if
``CONN_MAX_AGE`` is 0; a pool takes them back.  What was set on a connection ends with it.
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

# For the app's own flows, which do something of their own before and after these steps.
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
    """Have Bandwidth send ``user`` a code.

    :param purpose: ``"login"``, ``"step-up"`` or ``"enrol"``.
    :param phone: one of the user's confirmed phones, or its number; None for the primary one.  For
        ``"enrol"``, the phone that is to be confirmed.
    :param channel: ``"sms"`` or ``"voice"``; None for the :attr:`~.Phone.default_channel` of the
        phone: the one that its owner prefers, or else the first one that is set up.
    :param request: the request whose client address counts towards the limits; None counts none.
    :raises NoPhone: the user has no such phone.
    :raises NumberRefused: codes may not go to this number.
    :raises Limited: too many codes were sent lately, or Bandwidth asks to wait.
    :raises Busy: too many other codes are being sent and checked; nothing is counted.
    :raises ProviderUnavailable: Bandwidth failed.  With ``may_have_arrived`` the challenge stands
        all the same, and the code can be typed if it comes.
    :raises ValueError: there is no such purpose, or the channel is not set up.
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
    """Do what :func:`send_code` does, in an event loop.

    Neither the event loop nor the thread of the database waits for Bandwidth: the call has a thread
    of a pool, as large as ``MAX_CONCURRENT_CALLS`` and ``MAX_WAITING_CALLS`` together.

    If the caller is cancelled, this function ends when the work has ended, and then raises
    ``asyncio.CancelledError``.  A call that had begun goes on, and its outcome counts.  Otherwise
    nothing is sent, and what was counted is given back.
    """
    return await arun(
        send_steps(user, purpose=purpose, phone=phone, channel=channel, request=request)
    )


@sensitive_variables("code")
def verify_code(
    challenge: Challenge, code: str, *, request: HttpRequest | None = None
) -> Verification:
    """Ask Bandwidth whether ``code`` is right.  A right code passes once.

    ``code`` may be typed in digits of any script, with spaces and dashes, and it may be the whole
    message that the phone received.  Bandwidth gets ASCII digits.

    The try is counted first.  A text that holds no code (as many digits as were sent), or more than
    one, is wrong and is not counted, since Bandwidth is never asked.

    A right code for ``"enrol"`` confirms the phone in the same transaction.

    :returns: a verification that has not :attr:`~.Verification.passed` if the code is wrong, or was
        used before.
    :raises ChallengeExpired: its time is over, or its phone is gone.
    :raises ChallengeUsed: it passed already, or has no tries left.
    :raises Limited: too many wrong codes in a row, or Bandwidth asks to wait.
    :raises Locked: ``FAILURES_BEFORE_LOCK`` wrong codes in a row.
    :raises Busy: too many other codes are being sent and checked; nothing is counted.
    :raises ProviderUnavailable: Bandwidth failed; the try counts only if it may have arrived.
    :raises RuntimeError: a transaction is open.
    """
    return run(verify_steps(challenge, code, request=request))


@sensitive_variables("code")
async def averify_code(
    challenge: Challenge, code: str, *, request: HttpRequest | None = None
) -> Verification:
    """Do what :func:`verify_code` does, in an event loop.

    It waits, and is cancelled, as :func:`asend_code` is.  A right code whose call had begun is used
    up.
    """
    return await arun(verify_steps(challenge, code, request=request))


@sensitive_variables()
def issue_recovery_codes(user: User, *, request: HttpRequest | None = None) -> list[str]:
    """Make ``user`` a new set of ``RECOVERY_CODES`` recovery codes, and void the old set.

    It takes some 40 ms of processor time for each code, since they are stored as passwords are.

    :returns: the codes, as ``"7KQ2-M9XD-4TBN"``.  They cannot be read again.
    :raises Limited: five sets were made lately; the old set is as it was.
    :raises RuntimeError: a transaction is open.
    """
    return recovery_codes.issue(user, request=request)


@sensitive_variables()
async def aissue_recovery_codes(user: User, *, request: HttpRequest | None = None) -> list[str]:
    """Do what :func:`issue_recovery_codes` does, in an event loop."""
    return await sync_to_async(issue_recovery_codes)(user, request=request)


@sensitive_variables("code", "typed", "text", "secret")
def use_recovery_code(user: User, code: str, *, request: HttpRequest | None = None) -> Verification:
    """Let ``user`` pass with a recovery code.  It passes once, and opens a locked phone factor.

    ``code`` may be typed in small letters, with spaces and dashes, or without.  The try is counted
    first.  A text that cannot be a recovery code is wrong and is not counted.

    :returns: a verification that has not :attr:`~.Verification.passed` if the code is wrong, or was
        used before.
    :raises Limited: too many wrong recovery codes in a row.
    :raises RuntimeError: a transaction is open.
    """
    return recovery_codes.use(user, code, request=request)


def complete_login(request: HttpRequest, user: User, *, method: str) -> str:
    """Finish the login that is parked here: a second factor of the site's own has passed.

    ::

        user = request.mfa.pending_user
        if user is not None and is_right(user, request.POST["answer"]):
            return redirect(service.complete_login(request, user, method="security_key"))

    What a right code does is done: the session gets a new key and the mark, the login is made with
    the backend of its first factor, and :data:`~django_bandwidth_mfa.signals.login_completed` is
    sent.  To count wrong answers, and to take each right one only once, is left to the site.

    :param user: who has passed the factor: the one whose login is parked here, and nobody else.
    :param method: what ``request.mfa.method`` will be.  It begins with a small letter; small
        letters, digits, ``-`` and ``_`` follow, 30 characters in all.
    :returns: the address of the page that the login leads to.
    :raises SessionEnded: no login is parked here, or it is over, or was finished meanwhile.
    :raises django.core.exceptions.PermissionDenied: the login is another user's.
    :raises ValueError: ``method`` is one of this app's own, or no such name.
    """
    # One that calls itself "sms" would pass where Bandwidth's own verification is asked for.
    if method in OWN_METHODS or not _METHOD.fullmatch(method):
        raise ValueError(f"{method!r} cannot be the method of a factor of the site's own.")
    return complete_by_site(request, user, method)


@sensitive_variables("code")
async def ause_recovery_code(
    user: User, code: str, *, request: HttpRequest | None = None
) -> Verification:
    """Do what :func:`use_recovery_code` does, in an event loop."""
    return await sync_to_async(use_recovery_code)(user, code, request=request)


def end_sessions(user: User, *, keep: HttpRequest | None = None) -> None:
    """Sign ``user`` out everywhere within ``RECHECK_SECONDS``, and trust none of their browsers.

    :param keep: a request whose session stays signed in, as "sign out everywhere else" needs.
    """
    before = SecondFactor.objects.end_sessions(user)
    if keep is not None:
        outlive(keep.session, user, before)
    events.signed_out_others(user, keep)


async def aend_sessions(user: User, *, keep: HttpRequest | None = None) -> None:
    """Do what :func:`end_sessions` does, in an event loop."""
    await sync_to_async(end_sessions)(user, keep=keep)


def require_new_code(user: User, *, keep: HttpRequest | None = None) -> None:
    """Have the sessions of ``user`` owe a code again, and trust none of their browsers.

    It takes up to ``RECHECK_SECONDS``.  Call it when a number of ``GET_PHONES`` has changed, for
    instance.

    :param keep: a request whose session stays verified.
    """
    before = SecondFactor.objects.require_new_code(user)
    if keep is not None:
        outlive(keep.session, user, before)


def refusal_of(user: User) -> MFAError | None:
    """Return why no code of ``user`` would be checked now; None if one would be.

    It is a :class:`~.exceptions.Locked` or a :class:`~.exceptions.Limited` after wrong codes.  It
    counts nothing, and :func:`verify_code` asks again: others may type codes meanwhile.
    """
    return rules.refusal_of_try(user)


def within_transaction() -> AbstractContextManager[None]:
    """Let :func:`send_code` and :func:`verify_code` work in a transaction that is open already.

    ::

        with transaction.atomic():
            with service.within_transaction():
                verification = service.verify_code(challenge, code)

    It is a last resort.  **Commit that transaction whatever the answer is.**  A rollback takes back
    the count of a wrong code, and whoever can bring one about has any number of tries.  While
    Bandwidth is asked, the transaction keeps its locks: those of a send are shared by all users.

    ``contrib/otp`` needs it on SQLite, where no second connection can write at the same time.
    """
    return store.within_transaction()


async def arequire_new_code(user: User, *, keep: HttpRequest | None = None) -> None:
    """Do what :func:`require_new_code` does, in an event loop."""
    await sync_to_async(require_new_code)(user, keep=keep)


def has_phone(user: User) -> bool:
    """Whether ``user`` has a phone that codes can go to."""
    return phone_source().has_confirmed(user)


async def ahas_phone(user: User) -> bool:
    """Do what :func:`has_phone` does, in an event loop."""
    return await sync_to_async(has_phone)(user)


@sensitive_variables()
def begin_login(
    user: User, *, backend: str, request: HttpRequest | None = None
) -> CompletedLogin | PendingLogin:
    """Begin a login without cookies of ``user``, whose password was right just now.

    It is for a view of the site that answers a password with a token.

    :param backend: the dotted path of the backend that took the password: ``user.backend``.
    :param request: for the policy, and for the receivers of
        :data:`~django_bandwidth_mfa.signals.login_completed`.
    :returns: a :class:`~.verification.PendingLogin` if a code is owed.  Its ticket is for the
        client, who exchanges it for a completion at the JSON API.  Else a
        :class:`~.verification.CompletedLogin`, and :data:`~.signals.login_completed` is sent.
    """
    return tickets.begin(user, backend, request)


def park_login(user: User, *, backend: str, request: HttpRequest, next: str = "") -> bool:
    """Have the session of ``request`` wait for a code of ``user``, if they owe one.

    It is for a site, or a package, that goes through steps of its own before it calls Django's
    ``login()``.  A login that was just made with ``login()`` is parked anyway.  Call it when every
    other step has passed, and do not call ``login()`` if a code is owed: the right code makes the
    login, and :data:`~django_bandwidth_mfa.signals.login_completed` tells of it.

    :param backend: the dotted path of the backend that found the user.
    :param next: where the code page leads.  Hand over no text of the browser's that was not
        checked.
    :returns: whether a code is owed, so that the login waits now.
    """
    return first_factor.park_before_login(request, user, backend, next)


@sensitive_variables()
def issue_ticket(user: User, *, backend: str) -> str:
    """Return a login ticket for ``user``, whose password was right just now.

    It is for a login view of the site that takes no cookies.  The JSON API takes the ticket, and
    the code with it, and answers a completion.  No code is sent here.

    :param backend: the dotted path of the backend that took the password: ``user.backend``.
    """
    return tickets.text_of(tickets.new_ticket(user, backend))


@sensitive_variables()
def redeem_completion(
    completion: str,
    *,
    request: HttpRequest | None = None,
    check: Callable[[User], object] | None = None,
) -> CompletedLogin:
    """Return the login that ``completion`` stands for, and use the completion up.

    It sends :data:`~django_bandwidth_mfa.signals.login_completed`.

    :param completion: what the JSON API answered to the right code, in the last minute.
    :param request: the request that exchanges it, for the receivers of the signal.
    :param check: is called with the user before the login counts.  It raises for a user whom the
        site lets in by no password; that error goes on, and no signal is sent.
    :raises TicketInvalid: it was not signed here, is too old, or was used before; or its user was
        deactivated, removed, signed out or given another password since.
    """
    return tickets.redeem(completion, request, check)


def is_in_force(proof: LoginProof, *, request: HttpRequest | None = None) -> bool:
    """Whether a login by token still lets its user in.  The database is asked each time.

    It does not if the user was deactivated, signed out everywhere else or given another password
    since; if a code was given, and a new one has to be given since, or its phone is gone; and if no
    code was given, and the user owes one.

    :param proof: what the token has kept of its login; its user as just read from the database.
    :param request: for the policy.
    """
    return proofs.is_in_force(proof, request)


def is_verified(
    proof: LoginProof,
    *,
    max_age: float | None = None,
    methods: Collection[str] | None = None,
) -> bool:
    """Whether a second factor passed in a login by token, and the login is in force.

    :param max_age: only count one of the last so many seconds.
    :param methods: only count one of these methods; None for any.  Bandwidth itself has verified
        ``{"sms", "voice"}``.
    """
    return proofs.is_verified(proof, max_age, methods)
