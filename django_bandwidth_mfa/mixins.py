"""A mixin that requires a code before a class-based view."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views import View

from .decorators import mfa_required

__all__ = ["MFARequiredMixin"]

# The type checker sees a subclass of View; at run time the class is a plain mixin.
if TYPE_CHECKING:
    Base = View
else:
    Base = object


class MFARequiredMixin(Base):
    """Require a verified session for the view, as :func:`.mfa_required` does.

    Put it to the left of the view class, like ``LoginRequiredMixin``.
    """

    mfa_max_age: float | None = None
    """The greatest age of the second factor, in seconds; None for any age."""

    mfa_methods: Collection[str] | None = None
    """The methods that are accepted, such as ``{"sms", "voice"}``; None for any method."""

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        view: Callable[..., object] = super().dispatch
        if self.view_is_async:
            view = as_coroutine_function(view)
        guarded = mfa_required(view, max_age=self.mfa_max_age, methods=self.mfa_methods)
        return cast(HttpResponseBase, guarded(request, *args, **kwargs))


def as_coroutine_function(dispatch: Callable[..., object]) -> Callable[..., object]:
    """Return ``dispatch`` of an async view, wrapped in a coroutine function."""

    async def dispatch_async(*args: object, **kwargs: object) -> object:
        return await cast(Awaitable[object], dispatch(*args, **kwargs))

    return dispatch_async
