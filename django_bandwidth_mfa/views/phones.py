"""The phones of a user: the list, and the pages that remove one or make it primary."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from .. import conf
from ..conf import settings
from ..exceptions import LastPhone, NoPhone
from ..forms import PhoneNameForm
from ..internal.codes import recovery_codes
from ..internal.flows.code_page import contact
from ..internal.flows.phones import remove_phone
from ..internal.login import policy
from ..internal.login.redirects import default_page, next_or_default
from ..internal.phones import changes
from ..internal.phones.source import phone_of_choice, phone_source
from ..models import Phone, RecoveryCode
from ..request import mfa_of, visitor
from .base import FreshView, SignedInView


def phones_url(*, changed: bool = False) -> str:
    url = reverse("bandwidth_mfa:phones")
    return f"{url}?changed" if changed else url


def chosen_phone(request: HttpRequest, phones: Iterable[Phone]) -> Phone | None:
    """Return the phone in ``phones`` that ``request`` names; None if there is none.

    :param phones: the confirmed phones of the visitor.
    """
    return phone_of_choice(phones, asked_for(request, "phone"))


def asked_for(request: HttpRequest, name: str) -> str | None:
    """Return the parameter ``name`` of the form, or else of the query string."""
    return request.POST.get(name) or request.GET.get(name)


class PhonesView(SignedInView):
    """GET lists the phones; POST ``phone`` and ``name`` renames one."""

    template_name = "bandwidth_mfa/phones.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.show(request, {})

    def post(self, request: HttpRequest) -> HttpResponse:
        phone = chosen_phone(request, phone_source().confirmed(self.user))
        if phone is None or phone.pk is None:
            return redirect(phones_url())
        form = PhoneNameForm(phone, request.POST)
        if form.is_valid():
            changes.rename(phone, form.cleaned_data["name"])
            return redirect(phones_url())
        # The form may be far down the page, so the browser scrolls to it.
        form.fields["name"].widget.attrs["autofocus"] = True
        return self.show(request, {phone.pk: form})

    def show(self, request: HttpRequest, forms: dict[int, PhoneNameForm]) -> HttpResponse:
        phones = phone_source().confirmed(self.user)
        rows = [(phone, forms.get(phone.pk) or PhoneNameForm(phone)) for phone in phones]
        done_url = next_or_default(request)
        left = RecoveryCode.objects.left(self.user)
        context = {
            "rows": rows,
            "errors": bool(forms),
            "changed": "changed" in request.GET,
            "kept_by_site": not phone_source().can_change,
            "protects": not phones and policy.would_owe_code_with_phone(request, self.user),
            "support": contact(),
            "channels": conf.channels(),
            "must_stay": len(phones) == 1 and policy.is_obliged(self.user),
            "recovery_codes_left": left,
            "few_recovery_codes": recovery_codes.are_few(left),
            "set_size": settings.RECOVERY_CODES,
            "trust_days": settings.TRUST_DAYS,
            # This page may be the only page of a site.
            "done_url": "" if done_url == phones_url() else done_url,
        }
        return render(request, self.template_name, context)


def kept_by_site(request: HttpRequest) -> HttpResponse:
    """Return the page, with status 403, for users who cannot add a phone here.

    Either the site keeps the numbers itself, so that only the site can change them; or the user has
    another factor, and must sign in with that factor.
    """
    user = visitor(request)
    context = {
        "parked": mfa_of(request).state == "parked",
        "needs_phone": user is not None and not phone_source().has_confirmed(user),
        "support": contact(),
        "done_url": default_page(request),
    }
    return render(request, "bandwidth_mfa/no_phone.html", context, status=403)


class ChangeView(FreshView):
    """GET asks for a confirmation to change ``phone``; POST changes it.

    A visitor who must first give a code comes back to the GET.
    """

    template_name: str

    # The names of the parameters in the form, and in the URL to come back to.
    names: tuple[str, ...] = ("phone",)

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        if not phone_source().can_change:
            return kept_by_site(request)
        return super().turn_away(request)

    def here(self) -> str:
        asked = {name: asked_for(self.request, name) for name in self.names}
        query = urlencode({name: value for name, value in asked.items() if value})
        return f"{self.request.path}?{query}" if asked["phone"] else phones_url()

    def get(self, request: HttpRequest) -> HttpResponse:
        phone = chosen_phone(request, phone_source().confirmed(self.user))
        if phone is None:
            return redirect(phones_url())
        return self.ask(request, phone)

    def post(self, request: HttpRequest) -> HttpResponse:
        phone = chosen_phone(request, phone_source().confirmed(self.user))
        if phone is None:  # removed in another tab, perhaps
            return redirect(phones_url())
        return self.change(request, phone)

    def ask(self, request: HttpRequest, phone: Phone, error: str = "") -> HttpResponse:
        context = {"phone": phone, "error": error, "phones_url": phones_url()}
        return render(request, self.template_name, {**context, **self.context()})

    def context(self) -> dict[str, object]:
        """Return the variables that only the template of this page has."""
        return {}

    def change(self, request: HttpRequest, phone: Phone) -> HttpResponse:
        raise NotImplementedError


class PhoneRemoveView(ChangeView):
    """GET asks for a confirmation to remove ``phone``; POST removes it."""

    template_name = "bandwidth_mfa/phone_remove.html"

    def context(self) -> dict[str, object]:
        return {
            "is_last": len(phone_source().confirmed(self.user)) == 1,
            "recovery_codes_left": RecoveryCode.objects.left(self.user),
        }

    def change(self, request: HttpRequest, phone: Phone) -> HttpResponse:
        try:
            remove_phone(request, self.user, phone)
        except LastPhone as error:
            return self.ask(request, phone, str(error))
        # Translators: %(phone)s is for example "ending in 42" or "“Work” (ending in 42)".
        removed = _("The phone %(phone)s was removed. We will send no more codes to it.")
        messages.success(request, removed % {"phone": phone.label}, fail_silently=True)
        return redirect(phones_url(changed=True))


class PhonePrimaryView(ChangeView):
    """GET asks for a confirmation to make ``phone`` the primary phone; POST makes it primary."""

    template_name = "bandwidth_mfa/phone_primary.html"

    def change(self, request: HttpRequest, phone: Phone) -> HttpResponse:
        with suppress(NoPhone):  # removed in another tab, this very moment
            changes.make_primary(phone, request=request)
        # Translators: %(phone)s is for example "ending in 42" or "“Work” (ending in 42)".
        changed = _(
            "We now send your codes to the phone %(phone)s, unless you choose another phone."
        )
        messages.success(request, changed % {"phone": phone.label}, fail_silently=True)
        return redirect(phones_url())


class PhoneChannelView(ChangeView):
    """GET asks for a confirmation to change the preferred channel of ``phone``; POST changes it.

    The parameter ``channel`` is ``"sms"`` or ``"voice"``.  If the site has only one channel, there
    is nothing to change.
    """

    template_name = "bandwidth_mfa/phone_channel.html"
    names = ("phone", "channel")

    @property
    def channel(self) -> str | None:
        """The requested channel; None if the site does not have it, or has only one channel."""
        offered, channel = conf.channels(), asked_for(self.request, "channel")
        return channel if len(offered) > 1 and channel in offered else None

    def ask(self, request: HttpRequest, phone: Phone, error: str = "") -> HttpResponse:
        if self.channel is None:
            return redirect(phones_url())
        return super().ask(request, phone, error)

    def context(self) -> dict[str, object]:
        return {"channel": self.channel}

    def change(self, request: HttpRequest, phone: Phone) -> HttpResponse:
        channel = self.channel
        if channel is None:
            return redirect(phones_url())
        try:
            changes.prefer_channel(phone, channel)
        except NoPhone:  # removed in another tab, this very moment
            return redirect(phones_url())
        if channel == "voice":
            # Translators: %(phone)s is for example "ending in 42" or "“Work” (ending in 42)".
            changed = _("We now call the phone %(phone)s and read you your codes.")
        else:
            # Translators: %(phone)s is for example "ending in 42" or "“Work” (ending in 42)".
            changed = _("We now text your codes to the phone %(phone)s.")
        messages.success(request, changed % {"phone": phone.label}, fail_silently=True)
        return redirect(phones_url())
