"""The JSON objects of the API for a session, a code, a phone and a browser.

Each kind of object always has the same keys.  No object contains a full number.
"""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from django.middleware.csrf import get_token

from .. import conf
from ..conf import settings
from ..internal.codes import delivery, recovery_codes
from ..internal.flows.base import Flow
from ..internal.flows.choice import code_flow
from ..internal.flows.enrolment import EnrolFlow
from ..internal.flows.gate import is_fresh
from ..internal.flows.tickets import TicketFlow
from ..internal.login import policy, trusted_browsers
from ..internal.login.mark import owes_recovery_codes
from ..internal.phones.source import phone_source
from ..models import Challenge, Phone, RecoveryCode, TrustedBrowser
from ..request import mfa_of, visitor
from ..types import User

Shape = dict[str, object]


def state(request: HttpRequest) -> Shape:
    """Return the state of the session, and the data that a code page needs."""
    mfa, user = mfa_of(request), visitor(request)
    flow = None if user is None else code_flow(request, user)
    signed_in = None if mfa.state == "parked" else user
    return {
        **_state_of(mfa.state, flow, method=mfa.method, verified_at=mfa.verified_at),
        "recovery_codes": None if signed_in is None else recovery_codes_of(request, signed_in),
        "is_fresh": is_fresh(request),
        "csrf_token": get_token(request),
    }


def state_of_ticket(flow: TicketFlow, ticket: str | None = None) -> Shape:
    """Return the state of a login by ticket: parked, or verified after the right code.

    :param ticket: the text of a ticket that was just issued; None otherwise.
    """
    done = flow.verification
    if done is None:
        return {**_state_of("parked", flow), "ticket": ticket}
    return {
        **_state_of("verified", None, method=done.method, verified_at=done.verified_at),
        "is_fresh": True,
        "recovery_codes": recovery_codes_of(flow.request, flow.user),
        "completion": flow.completion,
    }


def state_of_exempt(completion: str) -> Shape:
    """Return the state of a login by ticket that owes no code."""
    return {**_state_of("exempt", None), "completion": completion}


def anonymous() -> Shape:
    """Return the state after a ticket was cancelled."""
    return _state_of("anonymous", None)


def _state_of(
    name: str,
    flow: Flow | None,
    *,
    method: str | None = None,
    verified_at: datetime | None = None,
) -> Shape:
    return {
        "state": name,
        "method": method,
        "verified_at": verified_at.isoformat() if verified_at else None,
        "is_fresh": False,
        "needs": needs(flow),
        "code": None if flow is None else code(flow),
        "recovery_codes": None,
        "csrf_token": None,
        "ticket": None,
        "completion": None,
    }


def needs(flow: Flow | None) -> str | None:
    """Return what a parked login needs: ``"code"`` or ``"phone"``; None for any other session."""
    if flow is None or not flow.is_parked:
        return None
    return "code" if flow.phones else "phone"


def code(flow: Flow) -> Shape:
    """Return the data about the code of the flow, and about getting another one."""
    return {
        "purpose": flow.purpose,
        "challenge": challenge(flow.challenge),
        "digits": flow.digits,
        "seconds_until_send": flow.seconds_until_send,
        "phones": [choice(one) for one in flow.phones],
        "channels": list(conf.channels()),
        "has_recovery_codes": flow.takes_recovery_codes and flow.recovery_codes_left > 0,
        "trust_days": flow.trust_days,
    }


def challenge(one: Challenge | None) -> Shape | None:
    """Return the data of a challenge whose code can still be typed; None for None."""
    if one is None:
        return None
    return {
        "channel": one.channel,
        "number": one.masked,
        "sent_at": one.sent_at.isoformat(),
        "expires_at": one.expires_at.isoformat(),
        "tries_left": max(0, settings.TRIES_PER_CHALLENGE - one.tries),
        **delivery_of(one),
    }


def delivery_of(one: Challenge) -> Shape:
    """Return the delivery of a message, and the URL at which it can be polled without a session."""
    return {
        "delivery": one.delivery or None,
        "delivery_url": delivery.address_of(one, "api_delivery") if one.is_followed else None,
    }


def choice(one: Phone) -> Shape:
    """Return the data of a phone to which a code can be sent.

    It is all that a parked login gets: somebody with the password alone must not learn more.
    """
    return {"id": one.choice, "number": one.masked, "channel": one.default_channel}


def phone(one: Phone) -> Shape:
    """Return the data of a confirmed phone, or of a phone that is being added."""
    return {
        "id": one.choice,
        "number": one.masked,
        "name": one.name,
        "is_primary": one.is_primary,
        "channel": one.default_channel,
    }


def phones(user: User) -> Shape:
    """Return the data of the confirmed phones of ``user``, the primary one first."""
    source = phone_source()
    confirmed = source.confirmed(user)
    return {
        "phones": [phone(one) for one in confirmed],
        "channels": list(conf.channels()),
        "can_change": source.can_change,
        "must_stay": len(confirmed) == 1 and policy.is_obliged(user),
    }


def enrolment(flow: EnrolFlow) -> Shape:
    """Return the data of the phone that is being added, and of its code."""
    one = flow.phone
    return {
        "phone": None if one is None else phone(one),
        "challenge": challenge(flow.challenge) if one is not None else None,
        "digits": flow.digits,
        "seconds_until_send": flow.seconds_until_send,
        "channels": list(conf.channels()),
    }


def recovery_codes_of(request: HttpRequest, user: User) -> Shape:
    """Return the number of recovery codes of ``user``, and whether a first set must be created."""
    left = RecoveryCode.objects.left(user)
    return {
        "left": left,
        "few": recovery_codes.are_few(left),
        "set_size": settings.RECOVERY_CODES,
        "owed": owes_recovery_codes(request.session, user),
    }


def browsers(request: HttpRequest, user: User) -> Shape:
    """Return the data of the trusted browsers of ``user``."""
    trusted = TrustedBrowser.objects.valid(user).select_related("user")
    return {
        "browsers": [
            {
                "id": str(one.pk),
                "name": str(one),
                "is_this": trusted_browsers.is_this(one, request),
                "trusted_at": one.created_at.isoformat(),
                "last_used_at": one.last_used_at.isoformat(),
            }
            for one in trusted
        ],
        "trust_days": settings.TRUST_DAYS,
    }
