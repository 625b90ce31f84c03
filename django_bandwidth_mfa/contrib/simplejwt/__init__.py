"""Works with simplejwt: tokens in two steps, which say what their login has shown.

Its own views stay.  The settings name the serializers::

    SIMPLE_JWT = {
        "TOKEN_OBTAIN_SERIALIZER":
            "django_bandwidth_mfa.contrib.simplejwt.serializers.TokenObtainPairSerializer",
        "TOKEN_REFRESH_SERIALIZER":
            "django_bandwidth_mfa.contrib.simplejwt.serializers.TokenRefreshSerializer",
    }

``docs/rest-framework.md`` tells how to use it.
"""
