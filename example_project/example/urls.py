"""The site's addresses: the bank's own pages, Django's login views, and the app under ``mfa/``."""

from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import include, path

urlpatterns = [
    path("", include("bank.urls")),
    # Django's own login view: the app needs no special one.
    path("accounts/login/", auth_views.LoginView.as_view(), name="login"),
    path("accounts/logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("mfa/", include("django_bandwidth_mfa.urls")),
    path("admin/", admin.site.urls),
]
