"""The views of django-hijack, whose logins are logins on behalf of somebody."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from hijack import views

from ...request import login_on_behalf, mfa_of

__all__ = ["AcquireUserView", "ReleaseUserView"]


class AcquireUserView(views.AcquireUserView):
    """Begins to use the account of a user.

    django-hijack decides who may (``HIJACK_PERMISSION_CHECK``).
    """

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        with login_on_behalf(request):
            return super().post(request, *args, **kwargs)


class ReleaseUserView(views.ReleaseUserView):
    """Leads back to the own account of the staff member."""

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        # django-hijack trusts its list in the session.  A user who is there themselves must not
        # come into the account of staff with it.
        if not mfa_of(request).is_on_behalf:
            raise PermissionDenied("Nobody acts on behalf of this user.")
        with login_on_behalf(request):
            return super().post(request, *args, **kwargs)
