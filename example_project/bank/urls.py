from django.urls import path

from . import clients, views

urlpatterns = [
    path("", views.home, name="home"),
    path("account/", views.account, name="account"),
    path("account/transfer/", views.transfer, name="transfer"),
    # For clients that render their own pages: one with a session, one with a ticket.
    path("single-page/", clients.single_page, name="single_page"),
    path("single-page/sign-in/", clients.sign_in, name="sign_in"),
    path("app/token/", clients.token, name="app_token"),
    path("app/balance/", clients.balance, name="app_balance"),
]
