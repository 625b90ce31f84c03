from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.urls import include, path

from benchmarks.sites.pages import login, page, public
from django_bandwidth_mfa.decorators import mfa_required

# The list of users as Django shows it, to compare with.
plain_admin = admin.AdminSite("plain")
plain_admin.register(User, UserAdmin)

urlpatterns = [
    login,
    path("mfa/", include("django_bandwidth_mfa.urls")),
    path("admin/", admin.site.urls),
    path("plain-admin/", plain_admin.urls),
    path("page/", mfa_required(page)),
    path("public/", public),
]
