"""The example's settings, with the session store that a test wants."""

import os

from example.settings import *  # noqa: F403

SESSION_ENGINE = f"django.contrib.sessions.backends.{os.environ['TEST_SESSION_ENGINE']}"
