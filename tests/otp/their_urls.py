"""The addresses of django-otp's own tests, and ours."""

from django.urls import include, path
from test_project.urls import urlpatterns as their_urls

urlpatterns = [path("mfa/", include("django_bandwidth_mfa.urls")), *their_urls]
