"""Settings for connections.py: the example site over plain HTTP, with a fast password hasher."""

import json
import os

from example.settings import *  # noqa: F403
from example.settings import DATABASES

DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if pool := json.loads(os.environ["DATABASE_POOL"]):
    DATABASES["default"]["OPTIONS"] = {"pool": pool}
