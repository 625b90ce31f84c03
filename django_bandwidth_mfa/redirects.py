"""Where a browser may be sent."""

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


def is_local(request: HttpRequest, url: str) -> bool:
    """Whether ``url`` stays on this site: an open redirect would lend our name to a phisher."""
    return url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
