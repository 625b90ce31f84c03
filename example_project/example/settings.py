"""Settings of the example site. Values that differ between machines come from the environment."""

from pathlib import Path

import environ

from django_bandwidth_mfa import conf, simulator

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(BASE_DIR.parent / ".env")

# On, so that the example runs without settings. On your own site, turn it off by default.
DEBUG = env.bool("DEBUG", default=True)
SECRET_KEY = env.str("SECRET_KEY", default="")
if DEBUG and not SECRET_KEY:
    SECRET_KEY = "insecure-key-of-the-example-site"  # noqa: S105 - development only
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])

INSTALLED_APPS = [
    "bank",  # before the app whose base template it overrides
    "django_bandwidth_mfa",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "example.middleware.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_bandwidth_mfa.middleware.BandwidthMFAMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "example.urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "bank.context_processors.demo",
            ],
        },
    },
]

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Without it, SQLite can refuse at once to turn a reading transaction into a writing one.
    DATABASES["default"].setdefault("OPTIONS", {})["transaction_mode"] = "IMMEDIATE"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "account"
LOGOUT_REDIRECT_URL = "home"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"

EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

# A bank requires a code of every user. Variables named BANDWIDTH_MFA_… set all other keys, and can
# change this one. If they name no account, the local simulator replaces Bandwidth.
BANDWIDTH_MFA = {"REQUIRED": "all", "TRUSTED_PROXIES": 0, **conf.from_env(env)}
SIMULATOR_URL = ""
if "ACCOUNT_ID" not in BANDWIDTH_MFA:
    SIMULATOR_URL = env.str("BANDWIDTH_SIMULATOR_URL", default="http://127.0.0.1:8001")
    BANDWIDTH_MFA |= {
        "ACCOUNT_ID": simulator.DEFAULT_ACCOUNT,
        "CLIENT_ID": simulator.DEFAULT_CLIENT_ID,
        "CLIENT_SECRET": simulator.DEFAULT_CLIENT_SECRET,
        "FROM_NUMBER": "+12025550100",
        "MESSAGING_APPLICATION_ID": "example-messaging",
        "VOICE_APPLICATION_ID": "example-voice",
        "BASE_URL": f"{SIMULATOR_URL}/api/v1",
        "TOKEN_URL": f"{SIMULATOR_URL}/api/v1/oauth2/token",
    }

DEMO_USERS = False  # `manage.py demo` turns it on: the login page then names its users

# Over HTTPS only, outside of development.
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SECURE_HSTS_SECONDS = 0 if DEBUG else 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
