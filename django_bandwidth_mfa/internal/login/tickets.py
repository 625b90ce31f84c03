"""Login tickets: a parked login of a client that keeps no cookies.

A ticket says that a password was right.  It is signed, and no session stands behind it.  With a
ticket a code can be sent and tried, and nothing else.  The right code turns it into a completion,
which is signed, too.  The site exchanges the completion, once, for whatever it lets people in with.

A ticket and a completion name their user, the backend that took the password, and a digest of the
password hash.  They die when the user gets another password, is deactivated, signs out, or has to
give a new code.  Each has an id that is used up: the ticket's by a right code or by a cancel, the
completion's by its exchange.

Tickets hold no code, no number and no secret of the user.  Still, with the text of a ticket the
password is not needed any more.  So it travels in a header: addresses are kept in logs.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from django.core import signing
from django.db import IntegrityError, router, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from ... import signals
from ...conf import settings
from ...exceptions import TicketInvalid
from ...models import Purpose, SecondFactor, SpentCode, auth_hashes
from ...types import User
from ...verification import CompletedLogin, Needs, PendingLogin, Verification
from ..phones.source import has_phone, phone_source
from . import policy
from .clock import CLOCK_DIFFERENCE, is_before, is_within
from .parking import load_user
from .proofs import password_digest
from .records import make_record

# The purpose is a part of the salt.  So a ticket of one purpose is none of another, and no
# completion is a ticket.
TICKET_SALT = "bandwidth_mfa.ticket."
COMPLETION_SALT = "bandwidth_mfa.completion"

# Seconds.  So long a completion waits for its exchange, which is the client's very next request.
COMPLETION_SECONDS = 60


@dataclass(frozen=True)
class Ticket:
    """What a ticket holds.

    ``user`` is the primary key, as a text.  ``proof`` is a digest of the password hash that Django
    binds a session to, and of ``id``.  ``at`` is when the password was right, in seconds since the
    epoch.
    """

    id: str
    user: str
    backend: str
    proof: str
    at: float


@dataclass(frozen=True)
class Completion(Ticket):
    """What a completion holds, too: how and when the code passed, and which phone it had gone to.

    Both are None if no code was owed.
    """

    method: str | None = None
    verified_at: float | None = None
    phone: str | None = None


def new_ticket(user: User, backend: str) -> Ticket:
    """Return a new ticket for ``user``, whose password ``backend`` took just now."""
    made = secrets.token_urlsafe(16)
    return Ticket(
        id=made,
        user=str(user.pk),
        backend=backend,
        proof=_proof(made, auth_hashes(user)[0]),
        at=time.time(),
    )


def text_of(ticket: Ticket, purpose: str = Purpose.LOGIN.value) -> str:
    """Return the signed text of ``ticket``, for a client to keep."""
    return signing.dumps(asdict(ticket), salt=TICKET_SALT + purpose)


def read(text: str, purpose: str = Purpose.LOGIN.value) -> tuple[Ticket, User]:
    """Return the ticket whose text this is, and its user, read from the database.

    :raises TicketInvalid: it does not count, or counts no more.
    """
    ticket = make_record(_loads(text, TICKET_SALT + purpose), Ticket)
    if ticket is None or not is_within(ticket.at, settings.LOGIN_SECONDS):
        raise TicketInvalid
    if SpentCode.objects.filter(digest=_digest(ticket.id)).exists():
        raise TicketInvalid
    return ticket, _user_of(ticket)


def still_proves(ticket: Ticket, user: User) -> bool:
    """Return whether the first factor of ``ticket`` is still the user's: same password, still
    active.

    :param user: the user as just read from the database.
    """
    if not user.is_active or str(user.pk) != ticket.user:
        return False
    known = (_proof(ticket.id, auth_hash) for auth_hash in auth_hashes(user))
    return any(constant_time_compare(ticket.proof, one) for one in known)


def complete(ticket: Ticket, user: User, verification: Verification) -> str:
    """Use ``ticket`` up, whose code was right, and return the text of its completion.

    :raises TicketInvalid: another request has used it up, or the user has ended it meanwhile.
    """
    # The claim first, as with a session: of requests that use one ticket at the same time, one
    # goes on.
    if not _spend(ticket.id, settings.LOGIN_SECONDS) or _has_ended(ticket, user):
        raise TicketInvalid
    verified_at = verification.verified_at or timezone.now()
    return _completion(
        new_ticket(user, ticket.backend),
        method=verification.method,
        verified_at=verified_at.timestamp(),
        phone=verification.phone,
    )


def begin(user: User, backend: str, request: HttpRequest | None) -> CompletedLogin | PendingLogin:
    """Return what the right password of ``user`` is worth (:func:`.service.begin_login`)."""
    if policy.owes_code_for_token(request, user):
        needs: Needs = "code" if phone_source().has_confirmed(user) else "phone"
        return PendingLogin(user=user, ticket=text_of(new_ticket(user, backend)), needs=needs)
    done = CompletedLogin(
        user=user,
        backend=backend,
        signed_in_at=timezone.now(),
        password_digest=password_digest(user),
    )
    _tell_completed(done, request)
    return done


def complete_exempt(user: User, backend: str) -> str:
    """Return the text of the completion of a login that owes no code."""
    return _completion(new_ticket(user, backend))


def cancel(ticket: Ticket) -> None:
    """Use ``ticket`` up, so that no code passes with it."""
    _spend(ticket.id, settings.LOGIN_SECONDS)


def redeem(
    text: str, request: HttpRequest | None, check: Callable[[User], object] | None = None
) -> CompletedLogin:
    """Use up the completion whose text this is (:func:`.service.redeem_completion`)."""
    completion = make_record(_loads(text, COMPLETION_SALT), Completion)
    if completion is None or not is_within(completion.at, COMPLETION_SECONDS):
        raise TicketInvalid
    # First, so that of two exchanges at the same moment one goes on.
    if not _spend(completion.id, COMPLETION_SECONDS):
        raise TicketInvalid
    user = _user_of(completion)
    if completion.phone is not None and not has_phone(user, completion.phone):
        raise TicketInvalid
    if check is not None:
        check(user)
    at = completion.verified_at
    done = CompletedLogin(
        user=user,
        backend=completion.backend,
        signed_in_at=datetime.fromtimestamp(completion.at, UTC),
        method=completion.method,
        verified_at=None if at is None else datetime.fromtimestamp(at, UTC),
        phone=completion.phone,
        password_digest=password_digest(user),
    )
    _tell_completed(done, request)
    return done


def _tell_completed(done: CompletedLogin, request: HttpRequest | None) -> None:
    sender, user = type(done.user), done.user
    signals.login_completed.send_robust(sender, user=user, request=request, method=done.method)


def _completion(
    of: Ticket,
    *,
    method: str | None = None,
    verified_at: float | None = None,
    phone: str | None = None,
) -> str:
    made = Completion(**asdict(of), method=method, verified_at=verified_at, phone=phone)
    return signing.dumps(asdict(made), salt=COMPLETION_SALT)


def _loads(text: str, salt: str) -> object:
    try:
        return signing.loads(text, salt=salt)
    except (signing.BadSignature, ValueError):
        raise TicketInvalid from None


def _user_of(ticket: Ticket) -> User:
    user = load_user(ticket.user, ticket.backend)
    if user is None or not still_proves(ticket, user) or _has_ended(ticket, user):
        raise TicketInvalid
    return user


def _has_ended(ticket: Ticket, user: User) -> bool:
    """Return whether the user, or staff, have ended what began before now, as the database says."""
    row = SecondFactor.objects.of(user)
    return any(is_before(ticket.at, moment) for moment in (row.signed_in_since, row.verified_since))


def _proof(id_: str, auth_hash: str) -> str:
    # The hash that Django binds sessions to does not leave the site itself.
    return hashlib.sha256(f"{id_} {auth_hash}".encode()).hexdigest()


def _digest(id_: str) -> str:
    return hashlib.sha256(f"ticket {id_}".encode()).hexdigest()


def _spend(id_: str, seconds: float) -> bool:
    """Use an id up.

    :param seconds: how long the id could have been used.
    :returns: whether it had not been used up before.
    """
    lasts = timedelta(seconds=seconds + 2 * CLOCK_DIFFERENCE)
    row = SpentCode(digest=_digest(id_), expires_at=timezone.now() + lasts)
    try:
        with transaction.atomic(using=router.db_for_write(SpentCode)):
            row.save(force_insert=True)
    except IntegrityError:
        return False
    return True
