"""Integration of allauth headless: two-step logins for app and browser clients and for tokens.

::

    INSTALLED_APPS = [..., "django_bandwidth_mfa.contrib.allauth"]
    ACCOUNT_ADAPTER = "django_bandwidth_mfa.contrib.allauth.adapter.AccountAdapter"
    HEADLESS_TOKEN_STRATEGY = "django_bandwidth_mfa.contrib.allauth.strategies.SessionTokenStrategy"

    urlpatterns = [
        path("_allauth/", include("django_bandwidth_mfa.contrib.allauth.urls")),
        path("_allauth/", include("allauth.headless.urls")),
    ]

``docs/allauth.md`` describes how to use it.
"""
