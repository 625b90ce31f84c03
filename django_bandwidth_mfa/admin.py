"""The admin: read-only lists of rows, and the second factor on the page of each user.

Numbers are masked everywhere.  Nothing can be added or edited, because nobody has confirmed a phone
that staff typed in.  A site with a user admin of its own adds the second factor to it::

    class MyUserAdmin(SecondFactorAdminMixin, UserAdmin): ...

It is added to Django's own user admin automatically.
"""

from __future__ import annotations

from datetime import UTC, datetime
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator as DjangoPaginator
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from .bandwidth import BandwidthError
from .internal.limits import rules
from .internal.login import trusted_browsers
from .internal.phones import changes
from .internal.phones.source import phone_source
from .internal.staff import missing, reset, status
from .models import Challenge, Counter, Phone, RecoveryCode, TrustedBrowser
from .types import User

__all__ = ["SecondFactorAdminMixin"]

# These classes are generic for the type checker only.
if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    MixinBase = admin.ModelAdmin[Any]
    Paginator = DjangoPaginator[Any]
    TabularInline = admin.TabularInline[Phone, Any]
else:
    ModelAdmin, MixinBase, TabularInline = admin.ModelAdmin, object, admin.TabularInline
    Paginator = DjangoPaginator

USER = f"user__{get_user_model().USERNAME_FIELD}"


# The ledgers ---------------------------------------------------------------------------------


class Ledger(ModelAdmin):
    """A read-only list of rows.  ``mfa_purge`` deletes old rows.

    There may be millions of rows, so no page sorts all of them.
    """

    may_delete = False
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Django also asks this for rows that are deleted with another row.  Staff who may delete a
        # user may delete the rows of that user.
        match = request.resolver_match
        ours = f"{self.opts.app_label}_{self.opts.model_name}_"
        if obj is not None and match is not None and not str(match.url_name).startswith(ours):
            return True
        if not self.may_delete or not super().has_delete_permission(request, obj):
            return False
        # Django also asks this for each row of "delete selected".  If staff could delete the phones
        # of a superuser, they would need only the password to sign in as that superuser.
        return obj is None or not is_above(obj.user, request)


class UserLedger(Ledger):
    """A list of rows that belong to users.

    The search compares whole values, because the indexes work only for these.
    """

    sortable_by: ClassVar[tuple[str, ...]] = ()
    ordering = ("-pk",)
    # Django shows the search field if this is not empty.  get_search_results() does the search.
    search_fields = (USER,)
    search_help_text = gettext_lazy("A whole username, in its own upper and lower case.")
    list_select_related = ("user",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        wanted = search_term.strip()
        return (queryset.filter(self.search(wanted)) if wanted else queryset), False

    @admin.display(description=gettext_lazy("number"))
    def masked_number(self, row: Phone | Challenge) -> str:
        """Return the masked number as HTML, with a text for screen readers."""
        return render_to_string("bandwidth_mfa/_number.html", {"phone": row})

    def search(self, wanted: str) -> Q:
        """Return the condition for the rows that match the search term."""
        model = get_user_model()
        try:
            users = model._default_manager.filter(**{model.USERNAME_FIELD: wanted})
            # Primary keys, not a join: with a join, no index helps with "this user or this id".
            return Q(user__in=list(users.values_list("pk", flat=True)))
        except (ValueError, ValidationError):  # the username field is not a text field
            return Q(pk__in=[])


class RecordPaginator(Paginator):
    """A paginator that shows the first 10,000 rows only.

    The database would have to read millions of rows to count them all.  Use it only for rows that
    cannot be deleted: Django's "select all" means every row, but would show this smaller count.
    """

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        return min(self._count_to_the_limit, self.MOST)

    @property
    def is_cut(self) -> bool:
        """Whether there are more rows than the paginator shows."""
        return self._count_to_the_limit > self.MOST

    @cached_property
    def _count_to_the_limit(self) -> int:
        rows = cast("QuerySet[Model]", self.object_list)
        return rows.order_by()[: self.MOST + 1].count()


@admin.register(Phone)
class PhoneAdmin(UserLedger):
    """The list of phones.  To delete a phone has the same effect as its owner's "Remove"."""

    may_delete = True
    fields = (
        "user",
        "masked_number",
        "name",
        "is_primary",
        "channel",
        "confirmed_at",
        "created_at",
    )
    readonly_fields = fields
    list_display = ("masked_number", "user", "name", "is_primary", "channel", "confirmed_at")
    list_filter = ("is_primary", "channel", ("confirmed_at", admin.EmptyFieldListFilter))

    def delete_model(self, request: HttpRequest, obj: Phone) -> None:
        changes.remove(obj, by=staff_member(obj.user, request), request=request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Phone]) -> None:
        for phone in queryset.select_related("user"):
            self.delete_model(request, phone)


class FailureFilter(admin.SimpleListFilter):
    """A filter of challenges by the reason of their failure.

    Django's own filter would read the whole table to find all reasons.
    """

    title = gettext_lazy("failure")
    parameter_name = "failure"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        names = sorted(error.__name__ for error in BandwidthError.__subclasses__())
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(failure=self.value()) if self.value() else queryset


@admin.register(Challenge)
class ChallengeAdmin(UserLedger):
    fields = (
        *("id", "user", "purpose", "channel", "masked_number", "sent_at", "expires_at", "tries"),
        *("passed_at", "failure", "delivery", "delivery_error", "provider_id"),
    )
    readonly_fields = fields
    list_display = ("sent_at", "user", "purpose", "channel", "masked_number", "tries", "passed_at")
    # No date_hierarchy: on MariaDB it needs time zone tables, which few sites have loaded.
    list_filter = ("sent_at", "purpose", "channel", "delivery", FailureFilter)
    ordering = ("-sent_at",)
    sortable_by = ("sent_at",)
    paginator = RecordPaginator
    search_help_text = gettext_lazy(
        "A whole username, in its own upper and lower case; the id of a challenge; or "
        "Bandwidth's id."
    )

    def search(self, wanted: str) -> Q:
        condition = super().search(wanted) | Q(provider_id=wanted)
        try:
            return condition | Q(pk=UUID(wanted))
        except ValueError:
            return condition


@admin.register(RecoveryCode)
class RecoveryCodeAdmin(UserLedger):
    fields = ("user", "created_at", "used_at")
    readonly_fields = fields
    list_display = ("user", "created_at", "used_at")
    paginator = RecordPaginator
    list_filter = (("used_at", admin.EmptyFieldListFilter),)


@admin.register(TrustedBrowser)
class TrustedBrowserAdmin(UserLedger):
    may_delete = True
    fields = ("user", "name", "created_at", "last_used_at")
    readonly_fields = fields
    list_display = ("__str__", "user", "created_at", "last_used_at")

    def delete_model(self, request: HttpRequest, obj: TrustedBrowser) -> None:
        by = staff_member(obj.user, request)
        trusted_browsers.forget(obj.user, str(obj.pk), by=by, request=request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[TrustedBrowser]) -> None:
        for browser in queryset.select_related("user"):
            self.delete_model(request, browser)


@admin.register(Counter)
class CounterAdmin(Ledger):
    """The list of counters.  A key contains the name of the limit, and a digest of its subject."""

    fields = ("key", "empty_at")
    readonly_fields = fields
    list_display = ("key", "empty_at")
    search_fields = ("key",)
    list_select_related = False

    @admin.display(description=gettext_lazy("empty at"), ordering="moment")
    def empty_at(self, counter: Counter) -> datetime:
        return datetime.fromtimestamp(counter.moment / 1_000_000, UTC)


# On the user's page ---------------------------------------------------------------------------


class SecondFactorFilter(admin.SimpleListFilter):
    """A filter of users: with a phone, without one, in need of one, or locked out."""

    title = gettext_lazy("second factor")
    parameter_name = "second_factor"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        by_phone = [("with", _("With a phone")), ("without", _("Without a second factor"))]
        # If the site keeps the numbers itself, no query can find the users who have a phone.
        known = [] if phone_source().enrolled_users() is None else by_phone
        if missing.can_be_queried():
            known = [*known, ("missing", _("Needs a phone, and has none"))]
        return [*known, ("locked", _("Locked out"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        enrolled = Exists(Phone.objects.confirmed().filter(user=OuterRef("pk")))
        if self.value() == "with":
            return queryset.filter(enrolled)
        if self.value() == "without":
            return queryset.filter(~enrolled)
        if self.value() == "missing" and missing.can_be_queried():
            return missing.among(queryset)
        if self.value() == "locked":
            return queryset.filter(pk__in=rules.locked().values("user"))
        return queryset


class SecondFactorInline(TabularInline):
    """The status of the user's second factor.  It has no rows, so saving the user ignores it."""

    model = Phone
    verbose_name_plural = gettext_lazy("Two-factor login")
    template = "admin/bandwidth_mfa/second_factor.html"
    extra = max_num = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Phone]:
        return super().get_queryset(request).none()

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        formset.phones = phone_source().confirmed(obj)  # type: ignore[attr-defined]
        formset.second_factor = {  # type: ignore[attr-defined]
            **status.of_user(obj),
            "reset_url": reverse(
                f"admin:{obj._meta.app_label}_{obj._meta.model_name}_reset_second_factor",
                args=[obj.pk],
                current_app=self.admin_site.name,
            )
            if may_reset(request) and not is_above(obj, request)
            else "",
        }
        return formset


def may_reset(request: HttpRequest) -> bool:
    return request.user.has_perm("bandwidth_mfa.reset_second_factor")


def is_above(user: User, request: HttpRequest) -> bool:
    """Return whether ``user`` is a superuser, but the user of ``request`` is not.

    Only a superuser may remove the second factor of a superuser, on any page or by any action.
    """
    is_superuser = getattr(user, "is_superuser", False)
    return bool(is_superuser and not getattr(request.user, "is_superuser", False))


def staff_member(user: User, request: HttpRequest) -> User | None:
    """Return the user of ``request``; None if it is ``user``, who changes their own account."""
    return None if request.user.pk == user.pk else cast("User", request.user)


class SecondFactorAdminMixin(MixinBase):
    """Add the second factor to a user admin: status on the user's page, a filter, and the reset.

    Put it to the left of the user admin class.
    """

    def get_inlines(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        inlines: list[Any] = list(super().get_inlines(request, obj))
        return inlines if obj is None else [*inlines, SecondFactorInline]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [*super().get_list_filter(request), SecondFactorFilter]

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        """Return the actions of the user admin, and the reset among the actions of the list.

        :param action_location: in Django 6.1, whether the actions are for the list or for the page
            of one user; None in older versions, which have actions only in the list.
        """
        get_actions: Any = super().get_actions
        is_list = getattr(action_location, "name", "CHANGE_LIST") == "CHANGE_LIST"
        if action_location is not None and "action_location" in signature(get_actions).parameters:
            actions: dict[str, Any] = get_actions(request, action_location=action_location)
        else:
            # A user admin without this parameter has actions only in the list.  Django assumes the
            # same.
            actions = get_actions(request) if is_list else {}
        # The page of one user has a link to the reset instead.
        if is_list and may_reset(request):
            actions["reset_second_factor"] = self.get_action(reset_second_factor)
        return actions

    def get_urls(self) -> list[Any]:
        opts = self.opts
        return [
            path(
                "<path:object_id>/reset-second-factor/",
                self.admin_site.admin_view(self.reset_second_factor_view),
                name=f"{opts.app_label}_{opts.model_name}_reset_second_factor",
            ),
            *super().get_urls(),
        ]

    def reset_second_factor_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self.get_object(request, object_id)
        if user is None:
            raise Http404
        back = reverse(
            f"admin:{user._meta.app_label}_{user._meta.model_name}_change",
            args=[user.pk],
            current_app=self.admin_site.name,
        )
        answer = ask_or_reset(self, request, [user])
        return answer or HttpResponseRedirect(back)


@admin.action(description=gettext_lazy("Reset the second factor of the chosen users"))
def reset_second_factor(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]
) -> HttpResponse | None:
    return ask_or_reset(model_admin, request, list(queryset))


def ask_or_reset(model_admin: Any, request: HttpRequest, users: list[Any]) -> HttpResponse | None:
    """Return the page that asks for a confirmation; None if the reset is done or was refused."""
    allowed = [user for user in users if model_admin.has_change_permission(request, user)]
    if not may_reset(request) or len(allowed) < len(users):
        raise PermissionDenied
    # If staff could reset the second factor of a superuser, they would need only the password to
    # sign in as that superuser.
    above = [user for user in users if is_above(user, request)]
    if above:
        names = ", ".join(user.get_username() for user in above)
        message = _("Only a superuser can reset the second factor of a superuser: %(names)s.")
        model_admin.message_user(request, message % {"names": names}, messages.ERROR)
        return None
    if request.method != "POST" or "what" not in request.POST:
        context = {
            **model_admin.admin_site.each_context(request),
            "title": _("Reset the second factor?"),
            "opts": model_admin.opts,
            "users": users,
            "action_checkbox_name": helpers.ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/bandwidth_mfa/reset_second_factor.html", context)
    forget_phones = request.POST["what"] == "forget"
    for user in users:
        reset.reset_second_factor(
            user, forget_phones=forget_phones, by=request.user, request=request
        )
        did = (
            _("Reset the second factor. Phones and recovery codes were removed.")
            if forget_phones
            else _("Reset the second factor. Phones and recovery codes were kept.")
        )
        model_admin.log_change(request, user, did)
    many = len(users)
    message = ngettext(
        "The second factor of %(many)d user is reset.",
        "The second factor of %(many)d users is reset.",
        many,
    )
    model_admin.message_user(request, message % {"many": many}, messages.SUCCESS)
    return None


class SecondFactorUserAdmin(SecondFactorAdminMixin, UserAdmin):  # type: ignore[type-arg]
    """Django's own user admin, with the second factor."""


def extend_stock_user_admin() -> None:
    """Add the second factor to the user admin that Django registers.

    A user admin of the site's own is not changed.
    """
    model = get_user_model()
    if admin.site.is_registered(model) and type(admin.site.get_model_admin(model)) is UserAdmin:
        admin.site.unregister(model)
        admin.site.register(model, SecondFactorUserAdmin)


extend_stock_user_admin()
