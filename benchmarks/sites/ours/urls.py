from django.contrib import admin
from django.urls import include, path

from benchmarks.sites.pages import login, page, public
from django_bandwidth_mfa.decorators import mfa_required

urlpatterns = [
    login,
    path("mfa/", include("django_bandwidth_mfa.urls")),
    path("admin/", admin.site.urls),
    path("page/", mfa_required(page)),
    path("public/", public),
]
