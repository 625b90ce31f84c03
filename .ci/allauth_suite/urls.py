"""The URLs of allauth's test projects, and this app's."""

import os
from importlib import import_module, reload

from django.urls import include, path

# Some tests change settings that the URLs depend on, and load this module anew.
urls = reload(import_module(f"tests.projects.{os.environ['ALLAUTH_PROJECT']}.urls"))

urlpatterns = [path("mfa/", include("django_bandwidth_mfa.urls")), *urls.urlpatterns]
if os.environ["ALLAUTH_WITH"] == "contrib":
    app_urls = path("_allauth/", include("django_bandwidth_mfa.contrib.allauth.urls"))
    urlpatterns = [app_urls, *urlpatterns]
