"""The test site with other packages on it."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "rest_framework",
    "rest_framework.authtoken",
    "rest_framework_simplejwt.token_blacklist",
    "django_bandwidth_mfa.contrib.rest_framework",
    "django_bandwidth_mfa.contrib.allauth",
    "allauth.headless",
    "django.contrib.sites",
    "django.contrib.flatpages",
    "hijack",
    "impersonate",
    "allauth.mfa",
]
SITE_ID = 1
# The middleware that changes the user is directly after ours; the flatpages' middleware is last.
MIDDLEWARE = [
    *MIDDLEWARE,
    "hijack.middleware.HijackUserMiddleware",
    "impersonate.middleware.ImpersonateMiddleware",
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
]
LOGOUT_REDIRECT_URL = "/"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True

# docs/rest-framework.md shows this setting.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "EXCEPTION_HANDLER": "django_bandwidth_mfa.contrib.rest_framework.handlers.exception_handler",
}
OF_SIMPLEJWT = "django_bandwidth_mfa.contrib.simplejwt.serializers"
SIMPLE_JWT = {
    "TOKEN_OBTAIN_SERIALIZER": f"{OF_SIMPLEJWT}.TokenObtainPairSerializer",
    "TOKEN_REFRESH_SERIALIZER": f"{OF_SIMPLEJWT}.TokenRefreshSerializer",
    "SLIDING_TOKEN_OBTAIN_SERIALIZER": f"{OF_SIMPLEJWT}.TokenObtainSlidingSerializer",
    "SLIDING_TOKEN_REFRESH_SERIALIZER": f"{OF_SIMPLEJWT}.TokenRefreshSlidingSerializer",
    "SIGNING_KEY": "for the tests only: long enough for HS256",
}
HEADLESS_JWT_ALGORITHM = "HS256"
HEADLESS_JWT_PRIVATE_KEY = "for the tests only: long enough for HS256"
