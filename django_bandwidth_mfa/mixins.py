"""A mixin that asks for a code before a class-based view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.views import View

from .decorators import mfa_required

__all__ = ["MFARequiredMixin"]

# A view to the type checker, a mixin to the running program.
if TYPE_CHECKING:
    Base = View
else:
    Base = object


class MFARequiredMixin(Base):
    """Lets only a verified session see the view, as :func:`.mfa_required` does.

    It stands to the left of the view class, like ``LoginRequiredMixin``.
    """

    mfa_max_age: float | None = None
    """Seconds; None for any age."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        view: Any = super().dispatch
        if self.view_is_async:
            view = as_coroutine_function(view)
        return mfa_required(view, max_age=self.mfa_max_age)(request, *args, **kwargs)


def as_coroutine_function(dispatch: Any) -> Any:
    """Return ``dispatch`` of an async view as a coroutine function, which it is not by itself."""

    async def dispatch_async(*args: Any, **kwargs: Any) -> Any:
        return await dispatch(*args, **kwargs)

    return dispatch_async
