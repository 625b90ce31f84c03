"""The pages that all sites share."""

from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path


def page(request: HttpRequest) -> HttpResponse:
    """Return the name of the signed-in user. Each site adds its own decorator to this page."""
    return render(request, "page.html")


def public(request: HttpRequest) -> HttpResponse:
    """Return a page whose view does not look at the user."""
    return HttpResponse("public")


login = path("login/", LoginView.as_view(), name="login")
