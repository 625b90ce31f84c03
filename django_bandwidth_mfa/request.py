"""``request.mfa``: the second factor of the visitor, for views and templates."""

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
    """The second factor of one request.  The middleware sets it as ``request.mfa``.

    :param request: a request that has passed ``AuthenticationMiddleware``.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @property
    def state(self) -> State:
        """The state of the session.

        ``"anonymous"``
            No password was given.
        ``"parked"``
            The password was right and a code is owed.  ``request.user`` is anonymous.
        ``"exempt"``
            The user is logged in; the policy requires no code.
        ``"verified"``
            The user is logged in, and has passed a second factor.
        """
        return self._look()[0]

    def _look(self) -> tuple[State, Mark | None]:
        """Return the state of the session, and its mark; no mark if nobody is logged in."""
        user, session = self._request.user, self._request.session
        # Read the user first: this runs the check, which may park the session.
        is_authenticated = user.is_authenticated
        if PARKED in session:
            return ("parked" if self.pending_user is not None else "anonymous"), None
        if not is_authenticated:
            return "anonymous", None
        mark = read_mark(session, user)
        return ("exempt" if mark is None else mark.state), mark

    # Any, because it is an object of the site's own user model.
    @property
    def pending_user(self) -> Any | None:
        """The user who has given the password and owes a code; None if no login is parked."""
        if "_pending_user" not in self.__dict__:
            self._pending_user = pending_user(self._request.session)
        # The login may have been completed or cancelled since the user was loaded.
        return self._pending_user if PARKED in self._request.session else None

    @property
    def is_on_behalf(self) -> bool:
        """Whether somebody else acts on behalf of ``request.user`` (impersonation)."""
        return is_on_behalf(self._request.session, self._request.user)

    @property
    def verified_at(self) -> datetime | None:
        """When the last second factor of this session passed (aware, UTC); None if none passed."""
        mark = self._verified_mark
        return None if mark is None else datetime.fromtimestamp(mark.at, UTC)

    @property
    def method(self) -> str | None:
        """The method of the last second factor of this session; None if none passed.

        It is ``"sms"``, ``"voice"``, ``"recovery_code"`` or ``"trusted_browser"``; or the name of a
        factor of the site's own (:func:`.service.complete_login`).
        """
        mark = self._verified_mark
        return None if mark is None else mark.method

    def is_verified(
        self, max_age: float | None = None, *, methods: Collection[str] | None = None
    ) -> bool:
        """Return whether a second factor has passed in this session.

        :param max_age: the greatest age of the second factor, in seconds; None for any age.  With a
            ``max_age``, a trusted browser never counts: it replaces a code at login, but proves
            nothing about the present.
        :param methods: the second factor must be one of these methods; None for any method.  With
            ``{"sms", "voice"}`` only codes that Bandwidth has verified count.
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
    """Treat the logins in this block as logins on behalf of a user, or as the end of one.

    ::

        with login_on_behalf(request):
            login(request, customer)

    The caller must first check that ``request.user`` may act for this user.  After the block,
    ``request.user`` is the other user, ``request.mfa.is_on_behalf`` is True, and no code was sent.
    To come back, log the acting person in, in such a block: the session is then as it was before.

    :raises django.core.exceptions.PermissionDenied: nobody is signed in with this session; or the
        login of the acting person is no longer valid, and the session was ended.
    """
    actor = find_actor(request)
    if actor is None:
        raise PermissionDenied("Nobody is signed in. Sign in to act on behalf of a user.")
    # This check is done before the login, because the policy may read the session, and Django
    # empties it at the login.
    if not may_act(actor, request):
        request.session.flush()
        make_anonymous(request)
        raise PermissionDenied("Your own login has ended. Sign in again.")
    try:
        with announce(request, actor):
            yield
    finally:
        # django-hijack disconnects our receiver, and connects Django's own one afterwards.
        last_login.take_over()


class MFAHttpRequest(HttpRequest):
    """The type of a request that ``BandwidthMFAMiddleware`` has seen, for annotations.

    ::

        def account(request: MFAHttpRequest) -> HttpResponse:
            if request.mfa.state == "verified": ...
    """

    mfa: RequestMFA


def request_of_session(
    session: SessionBase, *, request: HttpRequest | None = None, anew: bool = False
) -> MFAHttpRequest:
    """Return a new request with ``session``, after a check of the session.

    It is for a session that does not come from Django's cookie and middleware, such as that of
    allauth's ``X-Session-Token``.  The ``user`` of the request is anonymous if the session owes a
    code, or has ended.  Its ``mfa`` describes the session.  If the check changes the session, it is
    saved.

    :param request: the request with which the session came, for the policy.
    :param anew: query the database even if the last check was less than ``RECHECK_SECONDS`` ago.
    """
    new_request = MFAHttpRequest()
    if request is not None:
        new_request.META = request.META
        new_request.COOKIES = request.COOKIES
    new_request.session = session
    user = AnonymousUser() if end_if_over(session) else get_user(new_request)
    recheck_request(new_request, cast(User, user), anew=anew)
    if session.modified and session.session_key is not None:
        try:
            session.save()
        except UpdateError:  # another request has ended the session meanwhile
            session.flush()
            make_anonymous(new_request)
    new_request.mfa = RequestMFA(new_request)
    return new_request


def mfa_of(request: HttpRequest) -> RequestMFA:
    """Return ``request.mfa``.

    :raises django.core.exceptions.ImproperlyConfigured: the request has not passed
        ``BandwidthMFAMiddleware``.
    """
    mfa: RequestMFA | None = getattr(request, "mfa", None)
    if mfa is None:
        raise ImproperlyConfigured(
            "The request has not passed BandwidthMFAMiddleware. Add it to MIDDLEWARE."
        )
    return mfa


def visitor(request: HttpRequest) -> User | None:
    """Return the pending or signed-in user; None for an anonymous visitor."""
    mfa = mfa_of(request)
    state = mfa.state
    if state == "anonymous":
        return None
    return mfa.pending_user if state == "parked" else request.user
