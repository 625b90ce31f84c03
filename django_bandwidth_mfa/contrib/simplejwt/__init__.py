"""Integration of simplejwt: tokens in two steps, with claims about their login.

Its own views are used, with serializers of this package in the settings::

    SIMPLE_JWT = {
        "TOKEN_OBTAIN_SERIALIZER":
            "django_bandwidth_mfa.contrib.simplejwt.serializers.TokenObtainPairSerializer",
        "TOKEN_REFRESH_SERIALIZER":
            "django_bandwidth_mfa.contrib.simplejwt.serializers.TokenRefreshSerializer",
    }

``docs/rest-framework.md`` describes how to use it.
"""
