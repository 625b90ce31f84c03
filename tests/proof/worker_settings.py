"""The example's settings, with the session store that a test chooses."""

import os

from example.settings import *  # noqa: F403

SESSION_ENGINE = f"django.contrib.sessions.backends.{os.environ['TEST_SESSION_ENGINE']}"
# Each request saves its session, so that a race for it is likely.
SESSION_SAVE_EVERY_REQUEST = "TEST_SAVE_EVERY_REQUEST" in os.environ
if cache := os.environ.get("TEST_SESSION_CACHE"):  # an address of Redis
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": cache}
    }
