"""Works with allauth headless: app clients, browser clients and its tokens, in two steps.

::

    INSTALLED_APPS = [..., "django_bandwidth_mfa.contrib.allauth"]
    ACCOUNT_ADAPTER = "django_bandwidth_mfa.contrib.allauth.adapter.AccountAdapter"
    HEADLESS_TOKEN_STRATEGY = "django_bandwidth_mfa.contrib.allauth.strategies.SessionTokenStrategy"

    urlpatterns = [
        path("_allauth/", include("django_bandwidth_mfa.contrib.allauth.urls")),
        path("_allauth/", include("allauth.headless.urls")),
    ]

``docs/allauth.md`` tells how to use it.
"""
