"""The views of django-hijack, with logins on behalf of a user."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from hijack import views

from ...request import login_on_behalf, mfa_of

__all__ = ["AcquireUserView", "ReleaseUserView"]


class AcquireUserView(views.AcquireUserView):
    """Begin to use the account of a user.

    django-hijack checks who may do so (``HIJACK_PERMISSION_CHECK``).
    """

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        with login_on_behalf(request):
            return super().post(request, *args, **kwargs)


class ReleaseUserView(views.ReleaseUserView):
    """Return to the staff member's own account."""

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        # django-hijack trusts the list in its session.  A user who has signed in themselves must
        # not get into the account of staff with such a list.
        if not mfa_of(request).is_on_behalf:
            raise PermissionDenied("You do not act on behalf of another user.")
        with login_on_behalf(request):
            return super().post(request, *args, **kwargs)
