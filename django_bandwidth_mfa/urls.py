from django.urls import path

from . import views
from .api.urls import urlpatterns as api_urlpatterns

__all__ = ["app_name", "urlpatterns"]

app_name = "bandwidth_mfa"

urlpatterns = [
    path("verify/", views.VerifyView.as_view(), name="verify"),
    path("send/", views.SendView.as_view(), name="send"),
    path("cancel/", views.CancelView.as_view(), name="cancel"),
    path("recovery-code/", views.RecoveryCodeView.as_view(), name="recovery_code"),
    path("recovery-codes/", views.RecoveryCodesView.as_view(), name="recovery_codes"),
    path(
        "recovery-codes/saved/",
        views.RecoveryCodesSavedView.as_view(),
        name="recovery_codes_saved",
    ),
    path("phones/", views.PhonesView.as_view(), name="phones"),
    path("phones/add/", views.PhoneAddView.as_view(), name="phone_add"),
    path("phones/confirm/", views.PhoneConfirmView.as_view(), name="phone_confirm"),
    path("phones/remove/", views.PhoneRemoveView.as_view(), name="phone_remove"),
    path("phones/primary/", views.PhonePrimaryView.as_view(), name="phone_primary"),
    path("phones/channel/", views.PhoneChannelView.as_view(), name="phone_channel"),
    path("browsers/", views.BrowsersView.as_view(), name="browsers"),
    path("sign-out-others/", views.SignOutOthersView.as_view(), name="sign_out_others"),
    path("suggestion/", views.SuggestionView.as_view(), name="suggestion"),
    path("delivery/<str:signed>/", views.DeliveryView.as_view(), name="delivery"),
    path("receipts/<str:secret>/", views.ReceiptsView.as_view(), name="receipts"),
    *api_urlpatterns,
]
