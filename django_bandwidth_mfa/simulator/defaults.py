"""What the simulator is called and accepts unless told otherwise. None of it is secret."""

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8001
"""The command line's port; in process the default is 0, any free one."""

DEFAULT_ACCOUNT = "5500001"
DEFAULT_USERNAME = "sim-user"
DEFAULT_PASSWORD = "sim-password"  # noqa: S105 - published on purpose, opens nothing
DEFAULT_CLIENT_ID = "sim-client"
DEFAULT_CLIENT_SECRET = "sim-secret"  # noqa: S105 - published on purpose, opens nothing

DEFAULT_FROM_NUMBER = "+12025550100"
DEFAULT_MESSAGING_APPLICATION_ID = "sim-messaging"
DEFAULT_VOICE_APPLICATION_ID = "sim-voice"
"""What the command line prints for a site's settings. No real phone has that number."""

DEFAULT_NAME = "Example"
"""What ``{NAME}`` in a message becomes: the name an account is provisioned with."""

DEFAULT_MAX_WRONG = 10
"""Wrong codes for one number within two minutes before it is answered 429."""

DEFAULT_RECEIPT_DELAY = 0.2
"""Seconds from a message's answer to its receipt: time for the sender to store the message's id."""
