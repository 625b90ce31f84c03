"""What a session says of the second factor, and the only code that writes it.

A session is in one of four states:

``anonymous``
    Nobody has given a password.
``parked``
    The first factor passed and a code is owed.  Django's own keys (``_auth_user_id``,
    ``_auth_user_backend``, ``_auth_user_hash``) are moved under :data:`PARKED`, so whatever reads
    the session finds an anonymous visitor: ``login_required``, the admin, REST framework, Channels.
``exempt``
    Logged in; no code was owed when it was last asked.
``verified``
    Logged in; a code passed.

The last two are told by the mark, under :data:`MARK`.  It names the user, and says nothing of any
other.  Neither key ever holds a password, a code or a number.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from django.conf import settings as django_settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
    login,
)
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from . import signals, trust
from .conf import settings
from .internal.login import policy
from .internal.phones.source import has_phone
from .models import SecondFactor, auth_hashes
from .verification import Verification

PARKED = "_bandwidth_mfa_parked"
MARK = "_bandwidth_mfa_mark"
SUGGESTED = "_bandwidth_mfa_suggested"

AUTH_KEYS = (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY)

# Set in request.META by the receiver: the login view of this very request parked its session.
JUST_PARKED = "bandwidth_mfa.just_parked"

Record = TypeVar("Record")


@dataclass(frozen=True)
class Parked:
    """A login that owes a code.

    ``user``, ``backend``, ``hash`` are Django's own values; ``at``: when the first factor passed,
    seconds since the epoch; ``next``: where the login view meant to go; ``owes_send``: no code has
    been sent for this login yet.
    """

    user: str
    backend: str
    hash: str
    at: float
    next: str = ""
    owes_send: bool = True


@dataclass(frozen=True)
class Mark:
    """What a logged-in session has shown.

    ``at``: when it was verified, or found exempt; ``checked``: when the database last confirmed it;
    ``kept``: when this session itself ended the user's others, all in seconds since the epoch;
    ``phone``: the phone that the code went to (:attr:`.models.Phone.choice`), if it went to one;
    ``owes_recovery_codes``: a first phone was confirmed here, and no codes have been shown yet.
    """

    user: str
    state: Literal["exempt", "verified"]
    at: float
    checked: float
    method: str | None = None
    phone: str | None = None
    kept: float = 0
    owes_recovery_codes: bool = False

    def is_older_than(self, moment: datetime | None) -> bool:
        return moment is not None and max(self.at, self.kept) < moment.timestamp()


# The first factor: what becomes of a login ---------------------------------------------------


def settle_login(sender: object, request: Any, user: Any, **kwargs: object) -> None:
    """Receive ``user_logged_in``: complete a login that owes nothing (more), park any other.

    A login that wrote no session (a token's, say) is none of ours.
    """
    session = getattr(request, "session", None)
    if session is None or SESSION_KEY not in session:
        return
    earlier = _read(session, PARKED, Parked)
    if earlier is not None and earlier.user != session[SESSION_KEY]:
        # Django empties a session that changes hands only when its own key is in it.  What the
        # other user's session held must not reach this one.
        kept = {key: session[key] for key in AUTH_KEYS if key in session}
        session.flush()
        session.update(kept)
    # Taken off the user: it stands for this one login, not for any later one of the same object.
    verification = user.__dict__.pop("mfa_verification", None)
    if verification and verification.user.pk == user.pk:
        session.pop(PARKED, None)
        mark_verified(session, user, verification)
        _announce(request, user, verification.method)
        return

    mark = read_mark(session, user)
    if mark is not None and mark.state == "verified":
        # The password was given again inside a session that has shown both factors already.
        _announce(request, user, mark.method)
        return
    try:
        owes_code = policy.owes_code(request, user)
        is_trusted = owes_code and trust.recognise(request, user)
    except BaseException:
        # Whatever answers the error, a 404 among them, may save the session: nobody is in it.
        for key in AUTH_KEYS:
            session.pop(key, None)
        raise
    if not owes_code:
        session.pop(PARKED, None)
        mark_exempt(session, user)
        _announce(request, user, None)
    elif is_trusted:
        session.pop(PARKED, None)
        by_browser = Verification(user, "trusted_browser", verified_at=timezone.now())
        mark_verified(session, user, by_browser)
        _announce(request, user, by_browser.method)
    else:
        park(session)
        request.META[JUST_PARKED] = True


def _announce(request: Any, user: Any, method: str | None) -> None:
    signals.login_completed.send_robust(type(user), user=user, request=request, method=method)


def park(session: SessionBase) -> None:
    """Move Django's keys aside.  A login parked already, by the same user, keeps its place in the
    process: another right password sends nothing again."""
    record = Parked(
        user=session.pop(SESSION_KEY),
        backend=session.pop(BACKEND_SESSION_KEY),
        hash=session.pop(HASH_SESSION_KEY, ""),
        at=time.time(),
    )
    session.pop(MARK, None)
    earlier = parked(session)
    if earlier is not None and (earlier.user, earlier.hash) == (record.user, record.hash):
        record = Parked(**{**asdict(record), "next": earlier.next, "owes_send": earlier.owes_send})
    session[PARKED] = asdict(record)


def parked(session: SessionBase) -> Parked | None:
    """The login that is parked here, unless it is older than ``LOGIN_SECONDS``."""
    record = _read(session, PARKED, Parked)
    if record is None or not 0 <= time.time() - record.at < settings.LOGIN_SECONDS:
        return None
    return record


def update_parked(session: SessionBase, **changes: Any) -> None:
    """Change ``next`` or ``owes_send`` of the parked login, if there is one."""
    record = parked(session)
    if record is not None:
        session[PARKED] = asdict(record) | changes


def pending_user(session: SessionBase) -> Any | None:
    """The user whose login is parked here, loaded anew.

    None, and the parked login is over, when it is too old, or when since the password its user was
    deactivated, removed, or given another password.
    """
    record = parked(session)
    user = None if record is None else _load(record)
    if user is None and PARKED in session:
        del session[PARKED]
    return user


def _load(record: Parked) -> Any | None:
    if record.backend not in django_settings.AUTHENTICATION_BACKENDS:
        return None
    try:
        pk = get_user_model()._meta.pk.to_python(record.user)
    except ValidationError:
        return None
    user = load_backend(record.backend).get_user(pk)
    return user if user is not None and _still_proves(record, user) else None


def _still_proves(record: Parked, user: Any) -> bool:
    """Whether the first factor of ``record`` is still ``user``'s: the same password, active."""
    if not user.is_active or str(user.pk) != record.user:
        return False
    return any(constant_time_compare(record.hash, known) for known in auth_hashes(user))


def is_signed_in(session: SessionBase, user: Any) -> bool:
    """Whether ``session`` is a login of ``user``'s."""
    return bool(session.get(SESSION_KEY) == str(user.pk))


def is_pending(session: SessionBase, user: Any) -> bool:
    """Whether it is ``user``, as just loaded, whose login is parked here and still good."""
    record = parked(session)
    return record is not None and _still_proves(record, user)


# The second factor: what a right code does to the session -----------------------------------------


def complete(request: HttpRequest, user: Any, verification: Verification) -> None:
    """Let ``user`` in, or through: the session gets a new key and the verified mark.

    A parked login is made again, for real, with the backend of its first factor; a session that is
    logged in already keeps its login.  Either way the key changes, so that one which was planted or
    read before the code is worth nothing after it.
    """
    record = parked(request.session)
    if record is None:
        request.session.cycle_key()
        mark_verified(request.session, user, verification)
    else:
        user.mfa_verification = verification
        login(request, user, backend=record.backend)


def mark_verified(session: SessionBase, user: Any, verification: Verification) -> None:
    now = time.time()
    mark = Mark(str(user.pk), "verified", now, now, verification.method, verification.phone)
    session[MARK] = asdict(mark)


def mark_exempt(session: SessionBase, user: Any) -> None:
    now = time.time()
    session[MARK] = asdict(Mark(str(user.pk), "exempt", now, now))


def outlive(session: SessionBase, user: Any, before: SecondFactor) -> None:
    """This session has just ended ``user``'s others (:mod:`.lifecycle`), and stays itself.

    :param before: what held until then: a session that it had ended already does not save itself.
    """
    mark = read_mark(session, user)
    if mark is not None and not any(
        mark.is_older_than(moment) for moment in (before.verified_since, before.signed_in_since)
    ):
        session[MARK] = asdict(mark) | {"kept": time.time()}


def owe_recovery_codes(session: SessionBase, user: Any) -> None:
    """The next page that shows recovery codes is to make a set."""
    mark = read_mark(session, user)
    if mark is not None:
        session[MARK] = asdict(mark) | {"owes_recovery_codes": True}


def pay_recovery_codes(session: SessionBase, user: Any) -> bool:
    """Whether a set is owed (:func:`owe_recovery_codes`); it is not any more."""
    mark = read_mark(session, user)
    if mark is None or not mark.owes_recovery_codes:
        return False
    session[MARK] = asdict(mark) | {"owes_recovery_codes": False}
    return True


def may_suggest(session: SessionBase) -> bool:
    """Whether this session has not been offered a phone yet."""
    return SUGGESTED not in session


def has_suggested(session: SessionBase) -> None:
    session[SUGGESTED] = True


def read_mark(session: SessionBase, user: Any) -> Mark | None:
    """The session's mark, if it is ``user``'s."""
    mark = _read(session, MARK, Mark)
    return mark if mark is not None and mark.user == str(user.pk) else None


# Later requests: does the mark still hold? ---------------------------------------------------


def is_settled(session: SessionBase, user: Any) -> bool:
    """Whether there is nothing to ask the database about ``user``'s login."""
    if not user.is_authenticated:
        return True
    if SESSION_KEY not in session:
        return PARKED not in session
    mark = read_mark(session, user)
    return mark is not None and 0 <= time.time() - mark.checked < settings.RECHECK_SECONDS


def judge(
    session: SessionBase, user: Any, request: HttpRequest | None, *, anew: bool = False
) -> Any:
    """Who ``request.user`` is, given that the session says ``user``.

    A session without a mark is from before the app was installed, or its receiver was not there; it
    is judged now.  A mark older than ``RECHECK_SECONDS`` is asked about again: the user may have
    enrolled elsewhere, or have lost the phone that verified this session, or have ended it.

    :param anew: ask about a younger one as well.
    """
    is_login = user.is_authenticated and SESSION_KEY in session
    if is_settled(session, user) and not (anew and is_login):
        return user
    if SESSION_KEY not in session:
        # A middleware put a user here whose login it made, and we parked, on the way in.
        record = parked(session)
        return AnonymousUser() if record and record.user == str(user.pk) else user
    # A session that cannot say when it began is older than any moment.
    mark = read_mark(session, user) or Mark(str(user.pk), "exempt", at=0, checked=0)
    since = SecondFactor.objects.filter(user=user).first() or SecondFactor()
    if mark.is_older_than(since.signed_in_since):
        session.flush()
        return AnonymousUser()
    if (
        mark.state == "verified"
        and not mark.is_older_than(since.verified_since)
        and (mark.phone is None or has_phone(user, mark.phone))
    ):
        if settings.RECHECK_SECONDS:
            session[MARK] = asdict(mark) | {"checked": time.time()}
        return user
    if policy.owes_code(request, user):
        park(session)
        return AnonymousUser()
    if not mark.at or mark.state != "exempt" or settings.RECHECK_SECONDS:
        mark_exempt(session, user)
    return user


def _read(session: SessionBase, key: str, kind: type[Record]) -> Record | None:
    """The record under ``key``; one that an older release wrote, and this cannot read, is none."""
    try:
        return kind(**session[key])
    except (KeyError, TypeError):
        return None
