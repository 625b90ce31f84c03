"""The test site's pages, and django-hijack as its own documentation includes it."""

from django.urls import include, path

from tests import urls

urlpatterns = [path("hijack/", include("hijack.urls")), *urls.urlpatterns]
