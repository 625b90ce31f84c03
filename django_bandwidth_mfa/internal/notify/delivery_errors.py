"""The meaning of Bandwidth's error codes for text messages that were not delivered.

:data:`ERRORS` is the table of all codes.  Each row has two sentences for the user, one sentence for
the operators of the site, and whether the sender has caused the error.  If the sender has caused
it, all messages can fail until the operators fix the cause.

Source: https://dev.bandwidth.com/docs/messaging/errors/.  Codes about pictures and groups are left
out, because the app sends neither.  :func:`explain` also has sentences for codes that are not in
the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class UserTexts(NamedTuple):
    """Two sentences for the user: what happened, and what to do next."""

    what: str | Promise
    next_step: str | Promise


@dataclass(frozen=True)
class Reason:
    """A reason, as the user reads it.

    ``what`` says what happened.  ``next_step`` says what to do next, and
    ``next_step_without_calls`` says it on a site that makes no calls.
    """

    what: str | Promise
    next_step: str | Promise
    next_step_without_calls: str | Promise


@dataclass(frozen=True)
class DeliveryError:
    """One row of :data:`ERRORS`.  ``means`` is the sentence for the operators of the site."""

    code: int | None
    reason: Reason
    means: str
    is_senders_fault: bool = False

    def texts_for_user(self, *, can_call: bool, has_other_phone: bool) -> UserTexts:
        """Return the sentences for the user.  The next step is empty if only support can help.

        :param can_call: whether the site can call phones.
        :param has_other_phone: whether the user can get the code on another phone.
        """
        step = self.reason.next_step if can_call else self.reason.next_step_without_calls
        if not has_other_phone and step is _OTHER_PHONE:
            step = ""
        elif not has_other_phone and step is _AGAIN_OR_OTHER_PHONE:
            step = _LATER
        return UserTexts(self.reason.what, step)


_CALL = _("Get the code by phone call instead.")
_OTHER_PHONE = _("Use another phone.")
_AGAIN_OR_OTHER_PHONE = _("Ask for another one, or use another phone.")
_LATER = _("Please try again later.")

_NOT_DELIVERED = Reason(
    _("Your phone network did not deliver our text message."),
    _CALL,
    _AGAIN_OR_OTHER_PHONE,
)
_OUR_FAULT = Reason(
    _("We cannot send text messages at this moment. It is not your fault."),
    _CALL,
    _LATER,
)
_OFF = Reason(
    _("Your phone cannot be reached at this moment."),
    _("Check that it is on and has a signal, then ask for another code."),
    _("Check that it is on and has a signal, then ask for another code."),
)
_NO_TEXTS = Reason(_("This number cannot receive our text messages."), _CALL, _OTHER_PHONE)
_NOT_IN_USE = Reason(
    _("Your phone network says that this number is not in use any more."),
    _OTHER_PHONE,
    _OTHER_PHONE,
)
_COUNTRY = Reason(
    _("We cannot send text messages to the country of this number."), _CALL, _OTHER_PHONE
)
_OPTED_OUT = Reason(
    # Translators: STOP and START are words that users send to us.  Do not translate them.
    _("Our text messages to this phone were turned off with the reply STOP."),
    _("Get the code by phone call instead, or reply START to turn them on again."),
    _("Reply START to turn them on again, then ask for another code."),
)
_NOBODY_KNOWS = Reason(
    _("We do not know whether our text message has arrived."),
    _("If it does not come, get the code by phone call instead."),
    _("If it does not come, ask for another one."),
)

_ROWS: list[tuple[int, Reason, str]] = [
    # Errors of the user's number
    (4303, _NO_TEXTS, "The number is malformed, or cannot be reached by any carrier."),
    (4350, _NO_TEXTS, "Bandwidth could not send the message on. The number is probably invalid."),
    (
        4401,
        _NOT_DELIVERED,
        "Bandwidth has no route to the number, or the message was sent to FROM_NUMBER itself.",
    ),
    (
        4404,
        _NO_TEXTS,
        "The number cannot receive messages: it is inactive, invalid, or not set up for them.",
    ),
    (4406, _NO_TEXTS, "The number is valid, but no carrier has it."),
    (4408, _NO_TEXTS, "The number belongs to no account, or cannot receive messages."),
    (4420, _NOT_DELIVERED, "Bandwidth does not know the carrier of the number."),
    (
        4421,
        _COUNTRY,
        "The account may not send to this country. Ask Bandwidth, or see ALLOWED_REGIONS.",
    ),
    (4432, _COUNTRY, "Bandwidth has not opened this country to the account. See ALLOWED_REGIONS."),
    (4434, _NO_TEXTS, "The number is a toll-free number that receives no messages."),
    (
        4475,
        _OPTED_OUT,
        "The user replied STOP. Messages work again only after a START from that phone.",
    ),
    (4482, _NO_TEXTS, "Bandwidth blocks messages to this number."),
    (4492, _NO_TEXTS, "The number is an emergency number."),
    (4700, _NO_TEXTS, "The carrier or the phone does not accept text messages."),
    (4701, _OFF, "The phone, or its SMS service, cannot be reached."),
    (4702, _OFF, "The phone is off or out of reach, or its memory is full."),
    (
        4720,
        _NO_TEXTS,
        "The number is invalid or a landline, or accepts no messages from toll-free numbers.",
    ),
    (4721, _NOT_IN_USE, "The number is deactivated. Its owner needs another one."),
    (4730, _OFF, "Bandwidth has no route to the carrier. The phone may be roaming."),
    (
        4750,
        _NOT_DELIVERED,
        "The carrier gave no reason. Possible reasons: prepaid credit, a block, spam.",
    ),
    (4752, _NOT_DELIVERED, "The carrier cannot read the message. Check MESSAGE."),
    (4753, _NOT_DELIVERED, "The phone itself refused the message."),
    (
        4772,
        _NOT_DELIVERED,
        "The sender or the receiver is blocked. Bandwidth's support knows which.",
    ),
    (
        4775,
        _OPTED_OUT,
        "The user replied STOP. Messages work again only after a START from that phone.",
    ),
    (4790, _NO_TEXTS, "The carrier or the user blocks messages from short codes."),
    # Errors of time or transport
    (4360, _NOT_DELIVERED, "The message expired before it could be sent."),
    (5100, _NOT_DELIVERED, "Bandwidth had a temporary failure."),
    (5101, _NOT_DELIVERED, "Bandwidth had a temporary failure."),
    (5106, _NOT_DELIVERED, "Bandwidth found no route after several tries."),
    (5111, _NOT_DELIVERED, "Bandwidth had a temporary failure."),
    (5201, _NOT_DELIVERED, "Bandwidth gave up after several tries."),
    (5211, _NOT_DELIVERED, "Bandwidth was too busy."),
    (5220, _NOT_DELIVERED, "Bandwidth had a temporary failure."),
    (5231, _NOT_DELIVERED, "Parts of a long message were not delivered."),
    (5500, _NOT_DELIVERED, "The carrier failed, and gave no details."),
    (5501, _NOT_DELIVERED, "The message had no destination."),
    (5600, _NOT_DELIVERED, "The carrier was too busy."),
    (5610, _NOT_DELIVERED, "The carrier failed to accept the message."),
    (5620, _NOT_DELIVERED, "The carrier failed."),
    (5630, _NOT_DELIVERED, "The carrier did not confirm the message."),
    (5650, _NOT_DELIVERED, "The carrier failed to send the message on."),
    (5999, _NOT_DELIVERED, "Bandwidth failed, and does not know the reason."),
    (9902, _NOBODY_KNOWS, "The carrier sent no receipt in time. The message may have arrived."),
    (9999, _NOT_DELIVERED, "The carrier gave a reason that Bandwidth does not know."),
]

_SENDERS_ROWS: list[tuple[int, str]] = [
    (4001, "The account may not send messages this way. Ask Bandwidth's support."),
    (4301, "The text has characters that cannot be sent. Check MESSAGE."),
    (4302, "FROM_NUMBER is malformed, or no carrier has it."),
    (4403, "FROM_NUMBER does not belong to the account, or is not enabled for messages."),
    (4405, "FROM_NUMBER is not enabled for messages in the industry's database."),
    (4407, "FROM_NUMBER does not belong to the account."),
    (4431, "The account may not send from short codes."),
    (4433, "The account may not send from toll-free numbers."),
    (4451, "Bandwidth does not know the user id. Ask Bandwidth's support."),
    (4452, "MESSAGING_APPLICATION_ID is wrong, or belongs to another account."),
    (4470, "Bandwidth refused the message as spam. Check MESSAGE, and ask Bandwidth's support."),
    (4476, "FROM_NUMBER belongs to no registered 10DLC campaign."),
    (4481, "Bandwidth blocks FROM_NUMBER. Ask Bandwidth's support."),
    (4493, "The account may not send messages. Ask Bandwidth's support."),
    (4740, "The carrier does not accept FROM_NUMBER as a sender."),
    (4751, "The text is too long for the carrier. Check MESSAGE."),
    (4770, "The carrier refused the message as spam. Check MESSAGE and the campaign."),
    (4771, "The text contains a shortened link. Check MESSAGE."),
    (4773, "The 10DLC campaign of FROM_NUMBER is pending, rejected or suspended."),
    (4774, "FROM_NUMBER is set up wrongly for 10DLC. Ask Bandwidth's support."),
    (4780, "T-Mobile's daily limit of your 10DLC brand is used up."),
    (4781, "AT&T's limit of your 10DLC campaign is used up."),
    (4785, "The carrier's limit is used up. Send fewer messages, or ask for a higher limit."),
    (4791, "The carrier does not allow the campaign of the short code."),
    (4792, "The short code is not set up with the carrier."),
    (4793, "The short code has expired with the carrier."),
    (4795, "FROM_NUMBER is a toll-free number that is not verified."),
]

ERRORS = {code: DeliveryError(code, reason, means) for code, reason, means in _ROWS} | {
    code: DeliveryError(code, _OUR_FAULT, means, is_senders_fault=True)
    for code, means in _SENDERS_ROWS
}


def explain(code: int | None) -> DeliveryError:
    """Return the row of ``code``; for an unknown code, a row with a general meaning.

    :param code: the error code of the receipt; None if the receipt has no code.
    """
    error = ERRORS.get(code) if code is not None else None
    if error is not None:
        return error
    if code is None:
        return DeliveryError(code, _NOT_DELIVERED, "The receipt gave no reason.")
    if 5000 <= code < 6000:
        return DeliveryError(code, _NOT_DELIVERED, "Bandwidth or the carrier failed.")
    return DeliveryError(
        code,
        _NOT_DELIVERED,
        "Bandwidth or the carrier refused the message. See Bandwidth's list of error codes.",
    )
