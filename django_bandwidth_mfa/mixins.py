"""The same for class-based views."""

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
    """Let only a verified session through; ``mfa_max_age`` seconds old at most, where it is set.

    Stands left of the view class, as ``LoginRequiredMixin`` does.
    """

    mfa_max_age: float | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        view: Any = super().dispatch
        if self.view_is_async:
            view = as_coroutine_function(view)
        return mfa_required(view, max_age=self.mfa_max_age)(request, *args, **kwargs)


def as_coroutine_function(dispatch: Any) -> Any:
    """``dispatch`` of an async view returns a coroutine without being a coroutine function."""

    async def dispatch_async(*args: Any, **kwargs: Any) -> Any:
        return await dispatch(*args, **kwargs)

    return dispatch_async
