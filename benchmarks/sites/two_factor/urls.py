from django.urls import include, path
from django_otp.decorators import otp_required
from two_factor.urls import urlpatterns as two_factor_urls

from benchmarks.sites.pages import page, public

urlpatterns = [
    path("", include(two_factor_urls)),
    path("page/", otp_required(page)),
    path("public/", public),
]
