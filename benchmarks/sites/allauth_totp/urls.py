from django.contrib.auth.decorators import login_required
from django.urls import include, path

from benchmarks.sites.pages import page, public

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("page/", login_required(page)),
    path("public/", public),
]
