"""The tests in docs/testing.md, run unchanged on a site with a page that sends money."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path

from django_bandwidth_mfa.decorators import mfa_required

from . import urls
from .code_blocks import blocks

pytestmark = [
    pytest.mark.urls(__name__),
    # The tests of the page need Django's own user model.
    pytest.mark.skipif(settings.AUTH_USER_MODEL != "auth.User", reason="another user model"),
]


@mfa_required
def transfer(request: HttpRequest) -> HttpResponse:
    return redirect("/account/")


urlpatterns = [path("transfer/", transfer), *urls.urlpatterns]

for block in blocks("python", pages=["docs/testing.md"]):
    exec(compile(block.text, block.where, "exec"), globals())  # noqa: S102
