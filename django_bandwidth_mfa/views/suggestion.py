"""The page that suggests to add a phone, for users who do not need one."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from ..internal.login import policy
from ..internal.login.redirects import next_of, next_or_default
from ..internal.phones import suggestion
from .base import SignedInView


class SuggestionView(SignedInView):
    """GET suggests to add a phone; POST records the answer "not now"."""

    template_name = "bandwidth_mfa/suggestion.html"
    page_name = "suggestion"

    def get(self, request: HttpRequest) -> HttpResponse:
        context = {
            "next": next_of(request),
            "done_url": next_or_default(request),
            "protects": policy.would_owe_code_with_phone(request, self.user),
        }
        return render(request, self.template_name, context)

    def post(self, request: HttpRequest) -> HttpResponse:
        suggestion.decline(self.user)
        return HttpResponseRedirect(next_or_default(request))
