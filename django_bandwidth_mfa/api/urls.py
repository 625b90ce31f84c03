from django.urls import path

from . import account, base, codes, description, login, phones

__all__ = ["urlpatterns"]

# These patterns are part of the app's own URLconf, so that its system checks include them.

urlpatterns = [
    path("api/openapi.json", description.DescriptionView.as_view(), name="api_openapi"),
    path("api/state", codes.StateView.as_view(), name="api_state"),
    path("api/login", login.LoginView.as_view(), name="api_login"),
    path("api/send", codes.SendView.as_view(), name="api_send"),
    path("api/verify", codes.VerifyView.as_view(), name="api_verify"),
    path("api/recovery-code", codes.RecoveryCodeView.as_view(), name="api_recovery_code"),
    path("api/cancel", codes.CancelView.as_view(), name="api_cancel"),
    path("api/delivery/<str:signed>", codes.DeliveryView.as_view(), name="api_delivery"),
    path("api/phones", phones.PhonesView.as_view(), name="api_phones"),
    path("api/phones/pending", phones.PendingView.as_view(), name="api_phone_pending"),
    path("api/phones/add", phones.AddView.as_view(), name="api_phone_add"),
    path("api/phones/resend", phones.ResendView.as_view(), name="api_phone_resend"),
    path("api/phones/confirm", phones.ConfirmView.as_view(), name="api_phone_confirm"),
    path("api/phones/<str:phone>/primary", phones.PrimaryView.as_view(), name="api_phone_primary"),
    path("api/phones/<str:phone>/channel", phones.ChannelView.as_view(), name="api_phone_channel"),
    path("api/phones/<str:phone>/rename", phones.RenameView.as_view(), name="api_phone_rename"),
    path("api/phones/<str:phone>/remove", phones.RemoveView.as_view(), name="api_phone_remove"),
    path("api/recovery-codes", account.RecoveryCodesView.as_view(), name="api_recovery_codes"),
    path("api/browsers", account.BrowsersView.as_view(), name="api_browsers"),
    path("api/browsers/forget", account.ForgetBrowsersView.as_view(), name="api_browsers_forget"),
    path(
        "api/browsers/<str:browser>/forget",
        account.ForgetBrowserView.as_view(),
        name="api_browser_forget",
    ),
    path("api/sign-out-others", account.SignOutOthersView.as_view(), name="api_sign_out_others"),
    # All other URLs below this one get a JSON error.
    path("api/<path:rest>", base.NothingHereView.as_view(), name="api_nothing_here"),
]
