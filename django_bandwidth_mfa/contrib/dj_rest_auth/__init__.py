"""Integration of dj-rest-auth: its login in two steps.

Its own views are used, with classes of this package in the settings::

    REST_AUTH = {
        "LOGIN_SERIALIZER": "django_bandwidth_mfa.contrib.dj_rest_auth.serializers.LoginSerializer",
        "SESSION_LOGIN": False,
        # With its own tokens:
        "TOKEN_CREATOR": "django_bandwidth_mfa.contrib.rest_framework.tokens.create_token",
        # With simplejwt:
        "JWT_TOKEN_CLAIMS_SERIALIZER":
            "django_bandwidth_mfa.contrib.simplejwt.serializers.TokenObtainPairSerializer",
    }

``docs/rest-framework.md`` describes how to use it.
"""
