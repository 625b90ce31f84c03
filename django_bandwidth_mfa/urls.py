from django.urls import path

from . import views

app_name = "bandwidth_mfa"

urlpatterns = [
    path("verify/", views.VerifyView.as_view(), name="verify"),
    path("send/", views.SendView.as_view(), name="send"),
    path("cancel/", views.CancelView.as_view(), name="cancel"),
    path("recovery-code/", views.RecoveryCodeView.as_view(), name="recovery_code"),
    path("recovery-codes/", views.RecoveryCodesView.as_view(), name="recovery_codes"),
    path("phones/add/", views.PhoneAddView.as_view(), name="phone_add"),
    path("phones/confirm/", views.PhoneConfirmView.as_view(), name="phone_confirm"),
    path("receipts/<str:secret>/", views.ReceiptsView.as_view(), name="receipts"),
]
