from django.urls import path

from . import views

app_name = "bandwidth_mfa"

urlpatterns = [
    path("verify/", views.VerifyView.as_view(), name="verify"),
    path("send/", views.SendView.as_view(), name="send"),
    path("cancel/", views.CancelView.as_view(), name="cancel"),
    path("phones/add/", views.PhoneAddView.as_view(), name="phone_add"),
    path("phones/confirm/", views.PhoneConfirmView.as_view(), name="phone_confirm"),
]
