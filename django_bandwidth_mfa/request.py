"""``request.mfa``: what a view can ask about the second factor of its visitor."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal, cast

from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest

from .internal.login import last_login
from .internal.login.clock import is_within
from .internal.login.ended_keys import end_if_over
from .internal.login.mark import Mark, read_mark
from .internal.login.on_behalf import announce, find_actor, is_on_behalf
from .internal.login.parking import PARKED, pending_user
from .internal.login.recheck import make_anonymous, may_act, recheck_request
from .types import User

__all__ = ["MFAHttpRequest", "RequestMFA", "State", "login_on_behalf", "request_of_session"]

State = Literal["anonymous", "parked", "exempt", "verified"]


class RequestMFA:
    """The second factor of one request; the middleware sets it as ``request.mfa``.

    :param request: the request, after ``AuthenticationMiddleware``.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @property
    def state(self) -> State:
        """What the session has shown.

        ``"anonymous"``
            No password was given.
        ``"parked"``
            The password was right and a code is owed.  ``request.user`` is anonymous.
        ``"exempt"``
            Logged in; the policy asked for no code.
        ``"verified"``
            Logged in; a second factor passed.
        """
        return self._look()[0]

    def _look(self) -> tuple[State, Mark | None]:
        """Return the state of the session, and its mark if somebody is logged in."""
        user, session = self._request.user, self._request.session
        # The user first: the look at the user may be what parks the session.
        is_authenticated = user.is_authenticated
        if PARKED in session:
            return ("parked" if self.pending_user is not None else "anonymous"), None
        if not is_authenticated:
            return "anonymous", None
        mark = read_mark(session, user)
        return ("exempt" if mark is None else mark.state), mark

    # Any: it is an object of the site's own user model.
    @property
    def pending_user(self) -> Any | None:
        """The user who has given the password and owes a code; None in every other state."""
        if "_pending_user" not in self.__dict__:
            self._pending_user = pending_user(self._request.session)
        # The login may have been completed, or left, since the user was loaded.
        return self._pending_user if PARKED in self._request.session else None

    @property
    def is_on_behalf(self) -> bool:
        """Whether somebody else acts on behalf of ``request.user``, who has not signed in."""
        return is_on_behalf(self._request.session, self._request.user)

    @property
    def verified_at(self) -> datetime | None:
        """When the last second factor of this session passed (aware, UTC); None if none did."""
        mark = self._verified_mark
        return None if mark is None else datetime.fromtimestamp(mark.at, UTC)

    @property
    def method(self) -> str | None:
        """The method of the last second factor of this session; None if none passed.

        One of ``"sms"``, ``"voice"``, ``"recovery_code"`` and ``"trusted_browser"``; or what the
        site calls a factor of its own (:func:`.service.complete_login`).
        """
        mark = self._verified_mark
        return None if mark is None else mark.method

    def is_verified(
        self, max_age: float | None = None, *, methods: Collection[str] | None = None
    ) -> bool:
        """Whether a second factor passed in this session.

        :param max_age: only count one of the last so many seconds.  A trusted browser then never
            counts: it replaces a code at login, and proves nothing about this moment.
        :param methods: only count one of these methods; None for any.  Bandwidth itself has
            verified ``{"sms", "voice"}``.
        """
        mark = self._verified_mark
        if mark is None or (methods is not None and mark.method not in methods):
            return False
        if max_age is None:
            return True
        return mark.method != "trusted_browser" and is_within(mark.at, max_age)

    @property
    def _verified_mark(self) -> Mark | None:
        state, mark = self._look()
        return mark if state == "verified" else None


@contextmanager
def login_on_behalf(request: HttpRequest) -> Iterator[None]:
    """Make the logins in this block logins on behalf of somebody, or the way back from one.

    ::

        with login_on_behalf(request):
            login(request, customer)

    First make sure that ``request.user`` may act for this user.  Afterwards ``request.user`` is the
    other user, nobody has been sent a code, and ``request.mfa.is_on_behalf`` is True.  A login of
    the person who acts, in such a block, ends it: that session is what it was before.

    :raises django.core.exceptions.PermissionDenied: nobody is signed in with this session, or the
        login of the person who acts has ended.  Then the session ends, too.
    """
    actor = find_actor(request)
    if actor is None:
        raise PermissionDenied("Nobody is signed in, so nobody can act on behalf of somebody.")
    # Here and not at the login, for which Django empties the session: a policy may look at it.
    if not may_act(actor, request):
        request.session.flush()
        make_anonymous(request)
        raise PermissionDenied("The login of the person who acts has ended.")
    try:
        with announce(request, actor):
            yield
    finally:
        # django-hijack takes the receiver out meanwhile, and puts Django's own one back.
        last_login.take_over()


class MFAHttpRequest(HttpRequest):
    """The request of a site with ``BandwidthMFAMiddleware``, for annotations.

    ::

        def account(request: MFAHttpRequest) -> HttpResponse:
            if request.mfa.state == "verified": ...
    """

    mfa: RequestMFA


def request_of_session(
    session: SessionBase, *, request: HttpRequest | None = None, anew: bool = False
) -> MFAHttpRequest:
    """Return a request with ``session``, in which the session has been asked about.

    It is for a session that comes without Django's own cookie and middleware, such as that of
    allauth's ``X-Session-Token``.  The ``user`` of the request is anonymous if the session owes a
    code, or has ended; and its ``mfa`` says what the session has shown.  What the question changed
    in the session is saved.

    :param request: the request that brings the session, for the policy.
    :param anew: ask the database even if it was asked less than ``RECHECK_SECONDS`` ago.
    """
    found = MFAHttpRequest()
    if request is not None:
        found.META = request.META
        found.COOKIES = request.COOKIES
    found.session = session
    user = AnonymousUser() if end_if_over(session) else get_user(found)
    recheck_request(found, cast(User, user), anew=anew)
    if session.modified and session.session_key is not None:
        try:
            session.save()
        except UpdateError:  # another request has ended the session meanwhile
            session.flush()
            make_anonymous(found)
    found.mfa = RequestMFA(found)
    return found


def mfa_of(request: HttpRequest) -> RequestMFA:
    """Return ``request.mfa``.

    :raises django.core.exceptions.ImproperlyConfigured: the middleware did not see the request.
    """
    mfa: RequestMFA | None = getattr(request, "mfa", None)
    if mfa is None:
        raise ImproperlyConfigured("BandwidthMFAMiddleware must be in MIDDLEWARE.")
    return mfa


def visitor(request: HttpRequest) -> User | None:
    """Return who has given a password at least: the pending user, or the signed-in one."""
    mfa = mfa_of(request)
    state = mfa.state
    if state == "anonymous":
        return None
    return mfa.pending_user if state == "parked" else request.user
