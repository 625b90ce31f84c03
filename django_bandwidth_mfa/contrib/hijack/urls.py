"""The URLs of django-hijack, with the same names."""

from django.urls import path

from .views import AcquireUserView, ReleaseUserView

app_name = "hijack"
urlpatterns = [
    path("acquire/", AcquireUserView.as_view(), name="acquire"),
    path("release/", ReleaseUserView.as_view(), name="release"),
]
