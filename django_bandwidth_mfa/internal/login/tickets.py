"""Login tickets: the parked logins of clients without cookies.

A ticket is a signed text without a session.  It says that the password was right.  With a ticket, a
client can only have a code sent and type it.  The right code turns the ticket into a completion,
which is signed, too.  The site exchanges the completion, once, for a token of its own.

A ticket and a completion contain their user, the backend that accepted the password, and a digest
of the session auth hash.  They become invalid when the user changes the password, is deactivated,
signs out, or must give a new code.  Each has an id that can be used once: that of a ticket for a
right code or a cancel, that of a completion for its exchange.

A ticket contains no code, no number and no secret of the user.  But somebody who has the ticket
does not need the password any more.  So it is sent in a header, since URLs are written to logs.
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

# The salt depends on the purpose, so a ticket for one purpose is not valid for another one, and a
# completion is not valid as a ticket.
TICKET_SALT = "bandwidth_mfa.ticket."
COMPLETION_SALT = "bandwidth_mfa.completion"

# The lifetime of a completion, in seconds.  Clients exchange it in the next request.
COMPLETION_SECONDS = 60


@dataclass(frozen=True)
class Ticket:
    """The content of a ticket.

    ``user`` is the primary key, as a text.  ``proof`` is a digest of the session auth hash and of
    ``id``.  ``at`` is when the password was checked, in seconds since the epoch.
    """

    id: str
    user: str
    backend: str
    proof: str
    at: float


@dataclass(frozen=True)
class Completion(Ticket):
    """The content of a completion: that of a ticket, and the method, moment and phone of the code.

    These are None if no code was owed.
    """

    method: str | None = None
    verified_at: float | None = None
    phone: str | None = None


def new_ticket(user: User, backend: str) -> Ticket:
    """Return a new ticket for ``user``, whose password ``backend`` has just accepted."""
    id_ = secrets.token_urlsafe(16)
    return Ticket(
        id=id_,
        user=str(user.pk),
        backend=backend,
        proof=_proof(id_, auth_hashes(user)[0]),
        at=time.time(),
    )


def text_of(ticket: Ticket, purpose: str = Purpose.LOGIN.value) -> str:
    """Return the signed text of ``ticket``, for a client to keep."""
    return signing.dumps(asdict(ticket), salt=TICKET_SALT + purpose)


def read(text: str, purpose: str = Purpose.LOGIN.value) -> tuple[Ticket, User]:
    """Return the ticket in ``text``, and its user, read from the database.

    :raises TicketInvalid: the ticket is not valid, or is no longer valid.
    """
    ticket = make_record(_loads(text, TICKET_SALT + purpose), Ticket)
    if ticket is None or not is_within(ticket.at, settings.LOGIN_SECONDS):
        raise TicketInvalid
    if SpentCode.objects.filter(digest=_digest(ticket.id)).exists():
        raise TicketInvalid
    return ticket, _user_of(ticket)


def still_proves(ticket: Ticket, user: User) -> bool:
    """Return whether ``user`` is active and has the same password as when ``ticket`` was issued.

    :param user: the user as just read from the database.
    """
    if not user.is_active or str(user.pk) != ticket.user:
        return False
    known = (_proof(ticket.id, auth_hash) for auth_hash in auth_hashes(user))
    return any(constant_time_compare(ticket.proof, one) for one in known)


def complete(ticket: Ticket, user: User, verification: Verification) -> str:
    """Use up ``ticket`` after a right code, and return the text of a completion.

    :raises TicketInvalid: another request has used the ticket, or its user has ended it meanwhile.
    """
    # Use up the id first: of two requests with this ticket at the same time, only one continues.
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
    """Begin a login of ``user`` without cookies (:func:`.service.begin_login`)."""
    if policy.owes_code_for_token(request, user):
        needs: Needs = "code" if phone_source().has_confirmed(user) else "phone"
        return PendingLogin(user=user, ticket=text_of(new_ticket(user, backend)), needs=needs)
    login = CompletedLogin(
        user=user,
        backend=backend,
        signed_in_at=timezone.now(),
        password_digest=password_digest(user),
    )
    _tell_completed(login, request)
    return login


def complete_exempt(user: User, backend: str) -> str:
    """Return the text of a completion for a login that owes no code."""
    return _completion(new_ticket(user, backend))


def cancel(ticket: Ticket) -> None:
    """Use up ``ticket``, so that no code can be typed with it."""
    _spend(ticket.id, settings.LOGIN_SECONDS)


def redeem(
    text: str, request: HttpRequest | None, check: Callable[[User], object] | None = None
) -> CompletedLogin:
    """Exchange a completion for its login (:func:`.service.redeem_completion`)."""
    completion = make_record(_loads(text, COMPLETION_SALT), Completion)
    if completion is None or not is_within(completion.at, COMPLETION_SECONDS):
        raise TicketInvalid
    # Use up the id first: of two exchanges at the same time, only one continues.
    if not _spend(completion.id, COMPLETION_SECONDS):
        raise TicketInvalid
    user = _user_of(completion)
    if completion.phone is not None and not has_phone(user, completion.phone):
        raise TicketInvalid
    if check is not None:
        check(user)
    at = completion.verified_at
    login = CompletedLogin(
        user=user,
        backend=completion.backend,
        signed_in_at=datetime.fromtimestamp(completion.at, UTC),
        method=completion.method,
        verified_at=None if at is None else datetime.fromtimestamp(at, UTC),
        phone=completion.phone,
        password_digest=password_digest(user),
    )
    _tell_completed(login, request)
    return login


def _tell_completed(login: CompletedLogin, request: HttpRequest | None) -> None:
    sender, user = type(login.user), login.user
    signals.login_completed.send_robust(sender, user=user, request=request, method=login.method)


def _completion(
    of: Ticket,
    *,
    method: str | None = None,
    verified_at: float | None = None,
    phone: str | None = None,
) -> str:
    completion = Completion(**asdict(of), method=method, verified_at=verified_at, phone=phone)
    return signing.dumps(asdict(completion), salt=COMPLETION_SALT)


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
    """Return whether the user or staff have ended the logins that began before ``ticket.at``."""
    row = SecondFactor.objects.of(user)
    return any(is_before(ticket.at, moment) for moment in (row.signed_in_since, row.verified_since))


def _proof(id_: str, auth_hash: str) -> str:
    # A digest, because the hash itself that Django binds sessions to must not leave the site.
    return hashlib.sha256(f"{id_} {auth_hash}".encode()).hexdigest()


def _digest(id_: str) -> str:
    return hashlib.sha256(f"ticket {id_}".encode()).hexdigest()


def _spend(id_: str, seconds: float) -> bool:
    """Use up an id.

    :param seconds: the lifetime of the id, in seconds.
    :returns: True if the id had not been used before.
    """
    lasts = timedelta(seconds=seconds + 2 * CLOCK_DIFFERENCE)
    row = SpentCode(digest=_digest(id_), expires_at=timezone.now() + lasts)
    try:
        with transaction.atomic(using=router.db_for_write(SpentCode)):
            row.save(force_insert=True)
    except IntegrityError:
        return False
    return True
