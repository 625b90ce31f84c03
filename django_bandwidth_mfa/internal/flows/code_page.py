"""The content of a code page.  :func:`look` decides all of it.

A template shows a :class:`CodePage` and makes no decisions.  The URL at which the page polls the
delivery uses :func:`delivery_of`, too, so both always agree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ... import conf
from ...conf import settings
from ...exceptions import Limited
from ...models import Challenge, Delivery, Phone, Purpose
from ..codes import delivery as delivery_address
from ..limits.store import NO_WAIT, Wait
from ..login.outcomes import Outcome
from ..notify import delivery_errors
from ..phones.source import phone_source
from . import times
from .base import Flow
from .times import Timed

# Nobody is still waiting for a code that is older than this.
LONGEST_WAITED_FOR = timedelta(minutes=15)

# If so many tries or fewer are left, the page says how many.
FEW_TRIES = 2


class State(StrEnum):
    """The state of the page, which it shows as ``data-state``."""

    NOTHING_SENT = "nothing-sent"
    """No code was sent yet."""

    SENT = "sent"
    """A code was sent."""

    MAYBE_SENT = "maybe-sent"
    """Bandwidth did not answer, so a code may have been sent."""

    DELIVERED = "delivered"
    """The message was delivered to the phone network."""

    REFUSED_BY_CARRIER = "refused-by-carrier"
    """The phone network did not deliver the message."""

    WRONG = "wrong"
    """The typed code is wrong.  The user can try again."""

    EXPIRED = "expired"
    """The code has expired."""

    USED_UP = "used-up"
    """The code was used, or was tried too often."""

    WAITING = "waiting"
    """The user must wait after too many wrong codes."""

    NO_MORE_SENDS = "no-more-sends"
    """No code can be typed, and none can be sent for a while."""

    BUSY = "busy"
    """Too many calls to Bandwidth are running at this moment."""

    PROVIDER_DOWN = "provider-down"
    """Bandwidth does not answer."""

    LOCKED = "locked"
    """Codes by phone are switched off for the user."""


@dataclass(frozen=True)
class DeliveryPart:
    """The part of the page that says where the code was sent.  The page polls it.

    ``error`` says why the message did not arrive, and ``next_step`` what to do; both are empty if
    it may still arrive.  ``url`` is the URL that returns this part; empty if there is nothing to
    poll.
    """

    state: State
    message: str
    hint: str = ""
    error: str | Promise = ""
    next_step: str | Promise = ""
    url: str = ""


@dataclass(frozen=True)
class Button:
    """A button that sends a code.

    ``wait`` is the number of seconds for which it is disabled.  ``busy`` is its text after it was
    pressed.
    """

    value: str
    label: str
    busy: str
    wait: int
    is_main: bool = False


@dataclass(frozen=True)
class SendForm:
    """The buttons that send a code, and the result of the last press.

    ``is_first`` is True if the buttons are before the field.  ``wait`` is the sentence about the
    wait, and ``reason`` the reason for it.  ``is_error`` is True if the last press was refused.
    """

    phone: str
    buttons: tuple[Button, ...]
    is_first: bool
    hint: str = ""
    reason: str = ""
    wait: Timed | None = None
    error: str = ""
    is_error: bool = False


@dataclass(frozen=True)
class OtherPhone:
    """A button that sends a code to another phone of the user."""

    choice: str
    label: str
    busy: str
    wait: int


@dataclass(frozen=True)
class Contact:
    """The contact for help.  Without an ``address`` the label is a sentence, not a link."""

    label: str
    address: str


@dataclass(frozen=True)
class CodePage:
    """Everything that the template of a code page shows.

    ``message`` is the paragraph under the title, and ``is_alert`` is True if it is a warning.  If a
    code can be typed, ``delivery`` is shown instead of ``message``, and ``works`` says until when
    the code works.  ``wait`` is the wait before the next code is checked, and ``after_wait`` says
    what to do then.  ``has_field`` is True if a code can be typed, and ``error`` says what was
    wrong with the last one.  ``sends_if_refused`` replaces ``sends`` if the message is refused
    while the page is open; None if the page cannot learn that.  ``status`` and ``retry_after`` are
    those of the HTTP response.
    """

    state: State
    purpose: str
    title: str
    message: str = ""
    is_alert: bool = False
    delivery: DeliveryPart | None = None
    works: Timed | None = None
    wait: Timed | None = None
    after_wait: str = ""
    has_field: bool = False
    error: str = ""
    sends: SendForm | None = None
    sends_if_refused: SendForm | None = None
    others: tuple[OtherPhone, ...] = ()
    has_recovery_code: bool = False
    contact: Contact | None = None
    status: int = 200
    retry_after: int = 0

    @property
    def is_error(self) -> bool:
        """Whether the title begins with "Error:"."""
        return bool(self.error or self.is_alert or (self.sends and self.sends.is_error))


def look(flow: Flow, outcome: Outcome | None = None) -> CodePage:
    """Return the content of the page of ``flow``.

    :param outcome: the outcome of the last form; None if there is none.
    """
    return _Look(flow, outcome).page()


def contact() -> Contact:
    """Return the contact for help (``SUPPORT``)."""
    name, address = str(settings.SUPPORT["name"]), str(settings.SUPPORT["address"])
    if not address:
        return Contact(_contact_sentence(), "")
    # Translators: A link. %(name)s is the contact of the site, such as "Harbour help desk".
    label = _("Contact %(name)s") % {"name": name} if name else _("Contact support")
    return Contact(label, address)


def _contact_sentence() -> str:
    """Return the contact for help as a sentence, which is no link."""
    name = str(settings.SUPPORT["name"])
    return _("Contact %(name)s.") % {"name": name} if name else _("Contact support.")


def delivery_of(challenge: Challenge) -> DeliveryPart:
    """Return what is known about the delivery of ``challenge``."""
    ending, digits = challenge.number[-2:], challenge.digits
    url = delivery_address.address_of(challenge) if challenge.is_followed else ""
    if challenge.delivery == Delivery.FAILED:
        words = delivery_errors.explain(challenge.delivery_error).texts_for_user(
            can_call="voice" in conf.channels(),
            has_other_phone=challenge.purpose == Purpose.ENROL
            or len(phone_source().confirmed(challenge.user)) > 1,
        )
        return DeliveryPart(
            State.REFUSED_BY_CARRIER,
            "",
            error=words.what,
            next_step=words.next_step or _contact_sentence(),
        )
    if challenge.delivery == Delivery.UNKNOWN:
        # Translators: %(ending)s are the last two digits of a phone number.
        text = _(
            "We are not sure that your code was sent to your phone ending in %(ending)s. "
            "If it arrives within a minute, enter it below. Otherwise get a new one."
        )
        return DeliveryPart(State.MAYBE_SENT, text % {"ending": ending})
    if challenge.channel == "voice":
        # Translators: %(ending)s are the last two digits of a phone number.
        text = ngettext(
            "We called your phone ending in %(ending)s to read you a %(digits)d-digit code.",
            "We called your phone ending in %(ending)s to read you a %(digits)d-digit code.",
            digits,
        )
    else:
        # Translators: We sent a text message. %(ending)s are the last two digits of a phone number.
        text = ngettext(
            "We sent a %(digits)d-digit code to your phone ending in %(ending)s.",
            "We sent a %(digits)d-digit code to your phone ending in %(ending)s.",
            digits,
        )
    message = text % {"digits": digits, "ending": ending}
    if challenge.delivery == Delivery.DELIVERED:
        hint = _("Your phone network has the message. It should arrive any moment.")
        return DeliveryPart(State.DELIVERED, message, hint=hint)
    return DeliveryPart(State.SENT, message, url=url)


class _Look:
    """The decisions about one page, for ``flow`` after ``outcome``."""

    def __init__(self, flow: Flow, outcome: Outcome | None) -> None:
        self.flow = flow
        self.outcome = outcome
        self.now = timezone.now()
        self.challenge = flow.challenge

    # What happened ---------------------------------------------------------------------------

    def became(self, action: str, *kinds: str) -> bool:
        """Return whether the last form was an ``action`` with an outcome of one of ``kinds``."""
        outcome = self.outcome
        return outcome is not None and outcome.action == action and outcome.kind in kinds

    @property
    def recent(self) -> Challenge | None:
        """The newest challenge, if somebody may still wait for its code."""
        newest = self.flow.newest
        if newest is None or self.now - newest.sent_at > LONGEST_WAITED_FOR:
            return None
        return newest

    @property
    def until_try(self) -> Wait:
        """The wait before the next code is checked."""
        outcome = self.outcome
        held = NO_WAIT
        if outcome is not None and self.became("try", "limited"):
            # A wait that Bandwidth has asked for is known only from the outcome.
            held = Wait(outcome.seconds, outcome.limit)
        return max(self.flow.standing.until_try, held)

    # The page --------------------------------------------------------------------------------

    def page(self) -> CodePage:
        if self.flow.standing.is_locked or self.became("try", "locked"):
            return self.locked()
        if self.until_try.seconds > 0:
            return self.waiting()
        if self.challenge is not None:
            return self.with_code(self.challenge)
        return self.without_code()

    def locked(self) -> CodePage:
        message = _("Codes by phone are switched off for this account after too many wrong ones.")
        return CodePage(
            State.LOCKED,
            self.flow.purpose,
            _("Codes by phone are switched off"),
            message,
            is_alert=True,
            # It switches codes by phone on again, also for the enrolment of a new phone.
            has_recovery_code=self.flow.recovery_codes_left > 0,
            contact=contact(),
        )

    def waiting(self) -> CodePage:
        wait = self.until_try
        status, retry_after = self.status(wait)
        ends = self.now + timedelta(seconds=wait.seconds)
        challenge = self.challenge
        # A code that expires after the end of the wait can still be typed then.
        is_useful = challenge is not None and challenge.expires_at > ends
        # Translators: "Then" is the end of the wait. The sentence before this one names the time.
        after_wait = _("You need a new code then.")
        return CodePage(
            State.WAITING,
            self.flow.purpose,
            _("Wait before you try again"),
            str(Limited.reasons.get(wait.limit, "")),
            is_alert=True,
            wait=times.until_try(wait.seconds),
            after_wait="" if is_useful else after_wait,
            has_field=is_useful,
            sends=self.send_form(not_before=wait.seconds),
            others=self.others(not_before=wait.seconds),
            has_recovery_code=self.has_recovery_code,
            status=status,
            retry_after=retry_after,
        )

    def with_code(self, challenge: Challenge) -> CodePage:
        status, retry_after = self.status()
        delivery = delivery_of(challenge)
        error = self.error_of_try(challenge)
        state = delivery.state
        if self.became("try", "wrong"):
            state = State.WRONG
        elif self.became("try", "busy") or self.became("send", "busy"):
            state = State.BUSY
        elif self.became("try", "unavailable", "unknown") or self.became("send", "unavailable"):
            state = State.PROVIDER_DOWN
        return CodePage(
            state,
            self.flow.purpose,
            self.title(_("Enter your code")),
            delivery=delivery,
            # If the code did not arrive, it does not matter how long it works.
            works=None if self.is_refused else self.works(challenge),
            has_field=True,
            error=error,
            # After a refusal by the carrier, the buttons for another way come first.
            sends=self.send_form(is_first=self.is_refused),
            sends_if_refused=self.send_form_if_refused() if delivery.url else None,
            others=self.others(),
            has_recovery_code=self.has_recovery_code,
            status=status,
            retry_after=retry_after,
        )

    def without_code(self) -> CodePage:
        status, retry_after = self.status()
        state, title, message = self.state_without_code()
        sends = self.send_form(is_first=True)
        return CodePage(
            state,
            self.flow.purpose,
            self.title(title) if state == State.NOTHING_SENT else title,
            message,
            is_alert=state in (State.EXPIRED, State.USED_UP),
            sends=sends,
            others=self.others(),
            has_recovery_code=self.has_recovery_code,
            status=status,
            retry_after=retry_after,
        )

    def state_without_code(self) -> tuple[State, str, str]:
        """Return the state, the title and the message of a page without a code to type."""
        newest = self.recent
        most = settings.TRIES_PER_CHALLENGE
        if newest is not None and newest.passed_at is None and newest.tries >= most:
            text = ngettext(
                "This code was tried %(count)d time, so it no longer works. Get a new one.",
                "This code was tried %(count)d times, so it no longer works. Get a new one.",
                most,
            )
            return State.USED_UP, _("Your code no longer works"), text % {"count": most}
        if self.became("try", "used"):
            text = _("This code has been used. Get a new one.")
            return State.USED_UP, _("Your code no longer works"), text
        is_over = newest is not None and newest.passed_at is None
        if is_over or self.became("try", "expired"):
            text = _("This code has expired. Get a new one.")
            return State.EXPIRED, _("Your code has expired"), text
        if self.wait_of_first_button.seconds > 0:
            text = _("We cannot send you a code at this moment.")
            return State.NO_MORE_SENDS, _("No code can be sent now"), text
        state = State.NOTHING_SENT
        if self.became("send", "busy"):
            state = State.BUSY
        elif self.became("send", "unavailable"):
            state = State.PROVIDER_DOWN
        phone = self.flow.phone_of_buttons
        if phone is None:
            return state, _("Get your code"), _("To continue, get a code on your phone.")
        # Translators: %(ending)s are the last two digits of a phone number.
        text = _("To continue, get a code on your phone ending in %(ending)s.")
        return state, _("Get your code"), text % {"ending": phone.number[-2:]}

    def title(self, title_of_login: str) -> str:
        if self.flow.purpose == Purpose.STEP_UP:
            return _("Confirm it’s you")
        if self.flow.purpose == Purpose.ENROL:
            return _("Confirm your phone")
        return title_of_login

    def status(self, wait: Wait = NO_WAIT) -> tuple[int, int]:
        """Return the HTTP status and ``Retry-After``, for programs that post forms."""
        outcome = self.outcome
        seconds = 0 if outcome is None else max(outcome.seconds, wait.seconds)
        if outcome is None or outcome.kind not in ("limited", "busy"):
            return 200, 0
        if outcome.kind == "limited" and not seconds:
            return 200, 0
        return 429, max(1, math.ceil(seconds))

    # Its parts -------------------------------------------------------------------------------

    def works(self, challenge: Challenge) -> Timed:
        left = (challenge.expires_at - self.now).total_seconds()
        lives = (challenge.expires_at - challenge.sent_at).total_seconds()
        return times.works_until(left, lives)

    def error_of_try(self, challenge: Challenge) -> str:
        """Return what was wrong with the last typed code; an empty text if nothing was."""
        outcome = self.outcome
        if outcome is None or outcome.action not in ("try", "page"):
            return ""
        if outcome.kind == "wrong":
            return self.wrong(challenge)
        if outcome.kind == "limited":
            # The wait had ended before the page was requested.
            return _after_wait(outcome, _("You can try again now."))
        if outcome.kind == "busy":
            return _(
                "The site is busy at this moment, so your code was not checked. "
                "Enter it again in a few seconds."
            )
        if outcome.kind == "unavailable":
            return _("We could not check your code. Enter the same code again.")
        if outcome.kind == "unknown":
            return _(
                "We could not check your code. Enter the same code again. "
                "If that does not work, get a new one."
            )
        if outcome.kind == "expired":
            # Another code was sent meanwhile, in another tab.
            return _("That code has expired. Enter the one that we sent last.")
        if outcome.kind == "used":
            return _("That code no longer works. Enter the one that we sent last.")
        return outcome.text

    def wrong(self, challenge: Challenge) -> str:
        text = _("That is not the code we sent. Check it and try again.")
        left = settings.TRIES_PER_CHALLENGE - challenge.tries
        if not 0 < left <= FEW_TRIES:
            return text
        tries = ngettext(
            "You have %(count)d try left for this code.",
            "You have %(count)d tries left for this code.",
            left,
        )
        return f"{text} {tries % {'count': left}}"

    @cached_property
    def waits(self) -> Mapping[str, Wait]:
        """For each channel, the wait until a code can be sent."""
        return self.flow.waits_until_send

    @property
    def is_refused(self) -> bool:
        """Whether the carrier has refused the message with the current code."""
        return self.challenge is not None and self.challenge.delivery == Delivery.FAILED

    @property
    def channels(self) -> list[str]:
        """The channels of the buttons; the preferred channel of the phone comes first."""
        return self.channels_after(is_refused=self.is_refused)

    def channels_after(self, *, is_refused: bool) -> list[str]:
        """Return the channels of the buttons in their order.

        :param is_refused: whether a text message did not arrive; the button for a call is then
            first.
        """
        phone = self.flow.phone_of_buttons
        preferred = "voice" if is_refused else phone.default_channel if phone else None
        return sorted(conf.channels(), key=lambda channel: channel != preferred)

    @property
    def wait_of_first_button(self) -> Wait:
        return self.waits[self.channels[0]] if self.channels else NO_WAIT

    def send_form_if_refused(self) -> SendForm | None:
        """Return the buttons for the case that the message is refused while the page is open.

        They do not show the result of the last press, which is no longer relevant then.
        """
        form = self.send_form(is_first=True, is_refused=True)
        return None if form is None else replace(form, error="", is_error=False)

    def send_form(
        self, *, is_first: bool = False, is_refused: bool | None = None, not_before: float = 0
    ) -> SendForm | None:
        """Return the buttons that send a code; None if no channel is set up.

        :param is_refused: whether a text message did not arrive; None for the current state.
        :param not_before: seconds for which a new code could not be typed, so that none is sent.
        """
        phone = self.flow.phone_of_buttons
        channels = self.channels_after(
            is_refused=self.is_refused if is_refused is None else is_refused
        )
        if not channels:
            return None
        wait = self.waits[channels[0]]
        # The text above the buttons names one moment.  A button with a longer wait, such as that of
        # a call, would still be refused after that moment, so it is left out.
        offered = [one for one in channels if self.waits[one].seconds <= wait.seconds]
        newest = self.recent
        was_sent = newest is not None and newest.passed_at is None
        buttons = tuple(
            Button(
                value=channel,
                label=_label(channel, was_sent=was_sent),
                busy=_("Calling…") if channel == "voice" else _("Sending…"),
                wait=times.rounded_up(max(self.waits[channel].seconds, not_before)),
                is_main=place == 0 and is_first,
            )
            for place, channel in enumerate(offered)
        )
        was_refused = self.became("send", "limited") and wait.seconds > 0
        error = self.error_of_send(wait, can_call=len(offered) > 1)
        return SendForm(
            phone=phone.choice if phone is not None and phone.confirmed_at is not None else "",
            buttons=buttons,
            is_first=is_first,
            hint="" if is_first or wait.seconds > 0 or not_before else _("Did not get a code?"),
            reason=str(Limited.reasons.get(wait.limit, "")) if wait.seconds > 0 else "",
            wait=times.until_send(wait.seconds)
            if wait.seconds > 0 and wait.seconds >= not_before
            else None,
            error=error,
            is_error=bool(error or was_refused),
        )

    def error_of_send(self, wait: Wait, *, can_call: bool) -> str:
        """Return why the last requested code was not sent; an empty text if it was sent.

        :param wait: the wait that the page shows beside this text.
        :param can_call: whether the page shows a button for each of two channels.
        """
        outcome = self.outcome
        if outcome is not None and outcome.action == "page" and self.challenge is None:
            return outcome.text
        if outcome is None or outcome.action != "send":
            return ""
        if outcome.kind == "limited" and not wait.seconds:
            # The wait had ended before the page was requested, or was that of a button that is not
            # shown.
            return _after_wait(outcome, _("You can get a new code now."))
        return error_of_send(outcome, can_call=can_call)

    def others(self, *, not_before: float = 0) -> tuple[OtherPhone, ...]:
        """Return a button for each other phone; none for an enrolment, which has one phone."""
        if self.flow.purpose == Purpose.ENROL:
            return ()
        here = self.flow.phone_of_buttons
        wait = times.rounded_up(max(self.wait_of_first_button.seconds, not_before))
        return tuple(
            OtherPhone(
                choice=phone.choice,
                label=self.label_of_other(phone),
                busy=_("Calling…") if phone.default_channel == "voice" else _("Sending…"),
                wait=wait,
            )
            for phone in self.flow.phones
            if here is None or phone.choice != here.choice
        )

    def label_of_other(self, phone: Phone) -> str:
        # Somebody who has given only the password must not see the names of the user's phones.
        name = "" if self.flow.is_parked else phone.name
        # The Unicode isolates keep a name in a right-to-left script from reordering the sentence.
        words = {"name": f"\u2068{name}\u2069", "ending": phone.number[-2:]}
        if phone.default_channel == "voice":
            if name:
                # Translators: A button. %(name)s is the user's name for a phone, such as "Work".
                return _("Call %(name)s (ending in %(ending)s)") % words
            # Translators: A button. %(ending)s are the last two digits of a phone number.
            return _("Call my phone ending in %(ending)s") % words
        if name:
            # Translators: A button. %(name)s is the user's name for a phone, such as "Work".
            return _("Text a code to %(name)s (ending in %(ending)s)") % words
        # Translators: A button. %(ending)s are the last two digits of a phone number.
        return _("Text a code to my phone ending in %(ending)s") % words

    @property
    def has_recovery_code(self) -> bool:
        return self.flow.takes_recovery_codes and self.flow.recovery_codes_left > 0


def error_of_send(outcome: Outcome, *, can_call: bool) -> str:
    """Return why a code was not sent.  The page itself shows a wait.

    :param can_call: whether both text messages and calls are set up.
    """
    if outcome.kind == "busy":
        return _(
            "The site is busy at this moment, so no code was sent. Try again in a few seconds."
        )
    if outcome.kind == "unavailable" and can_call:
        return _("We could not send your code. Try again, or get it in another way.")
    if outcome.kind == "unavailable":
        return _("We could not send your code. Try again in a moment.")
    return outcome.text


def out_of_date() -> str:
    """Return the sentence for a form that was refused because the page was out of date."""
    return _(
        "This page was out of date, so nothing was done. Please try again. "
        "If this happens again, allow cookies for this site."
    )


def _label(channel: str, *, was_sent: bool) -> str:
    """Return the label of a button that sends a code.

    :param was_sent: whether a code was sent before, so that this would be a new one.
    """
    if channel == "voice":
        return _("Call me with a new code") if was_sent else _("Call me with the code")
    return _("Text me a new code") if was_sent else _("Text me the code")


@dataclass(frozen=True)
class RecoveryPage:
    """Everything that the template of the recovery code page shows, like :class:`CodePage`.

    ``state`` is ``"ready"``, ``"wrong"``, ``"waiting"`` or ``"none-left"``.
    """

    state: str
    purpose: str
    message: str
    is_alert: bool = False
    error: str = ""
    wait: Timed | None = None
    has_field: bool = True
    contact: Contact | None = None
    status: int = 200
    retry_after: int = 0

    @property
    def is_error(self) -> bool:
        """Whether the title begins with "Error:"."""
        return bool(self.error or self.is_alert)


def look_at_recovery(flow: Flow, outcome: Outcome | None = None) -> RecoveryPage:
    """Return the content of the recovery code page of ``flow``.

    :param outcome: the outcome of the last form; None if there is none.
    """
    error = _error_of_recovery(outcome)
    wait = flow.standing.until_recovery
    if wait.seconds > 0:
        limited = outcome is not None and outcome.kind == "limited"
        return RecoveryPage(
            "waiting",
            flow.purpose,
            str(Limited.reasons[wait.limit]),
            is_alert=True,
            wait=times.until_try(wait.seconds),
            status=429 if limited else 200,
            retry_after=math.ceil(wait.seconds) if limited else 0,
        )
    if not flow.recovery_codes_left:
        return RecoveryPage(
            "none-left",
            flow.purpose,
            _("You have no recovery codes left."),
            is_alert=True,
            has_field=False,
            contact=contact(),
        )
    message = _("Enter one of the codes that you saved. Each works once.")
    return RecoveryPage("wrong" if error else "ready", flow.purpose, message, error=error)


def _error_of_recovery(outcome: Outcome | None) -> str:
    """Return what was wrong with the last typed recovery code; an empty text if nothing was."""
    if outcome is None:
        return ""
    if outcome.kind == "wrong":
        return _("That recovery code is wrong or already used.")
    if outcome.kind == "limited":
        # The wait had ended before the page was requested.
        return _after_wait(outcome, _("You can try again now."))
    return outcome.text


def _after_wait(outcome: Outcome, text: str) -> str:
    """Return the reason of a wait that has ended, followed by ``text``."""
    return f"{Limited.reasons.get(outcome.limit, '')} {text}".strip()
