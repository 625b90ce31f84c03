from django.urls import path
from django_otp.decorators import otp_required
from django_otp.views import LoginView

from benchmarks.sites.pages import page, public

urlpatterns = [
    path("login/", LoginView.as_view()),
    path("page/", otp_required(page)),
    path("public/", public),
]
