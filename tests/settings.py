"""The test site, with every kind of login that the app must protect.

DATABASE_URL names its database.
"""

from pathlib import Path

import django
import environ

env = environ.Env()

BASE_DIR = Path(__file__).parent
SECRET_KEY = "tests-only"
DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
USE_TZ = True
ROOT_URLCONF = "tests.urls"
STATIC_URL = "/static/"
LOGIN_REDIRECT_URL = "/account/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AUTH_USER_MODEL = env("TEST_USER_MODEL", default="auth.User")

DATABASES = {"default": env.db("DATABASE_URL", default="sqlite:///test.sqlite3")}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    # A file, because threads cannot share a database in memory. IMMEDIATE, because without it
    # SQLite can refuse at once to turn a reading transaction into a writing one.
    DATABASES["default"]["TEST"] = {"NAME": str(BASE_DIR / "test.sqlite3")}
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA synchronous=OFF",
    }

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "django_bandwidth_mfa",
    "tests.accounts",
]

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_bandwidth_mfa.middleware.BandwidthMFAMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}

ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False

BANDWIDTH_MFA = {
    "ACCOUNT_ID": "5500001",
    "CLIENT_ID": "sim-client",
    "CLIENT_SECRET": "sim-secret",
    "FROM_NUMBER": "+12025550100",
    "MESSAGING_APPLICATION_ID": "messaging-application",
    "VOICE_APPLICATION_ID": "voice-application",
}

if cache := env("TEST_SESSION_CACHE", default=""):
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": cache}
    }
    SESSION_ENGINE = "django.contrib.sessions.backends.cache"
