"""The default names and credentials of the simulator.  None of them is secret."""

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8001
"""The port of the command line.  In a process the default is 0, which means any free port."""

DEFAULT_ACCOUNT = "5500001"
DEFAULT_USERNAME = "sim-user"
DEFAULT_PASSWORD = "sim-password"  # noqa: S105 - published on purpose, opens nothing
DEFAULT_CLIENT_ID = "sim-client"
DEFAULT_CLIENT_SECRET = "sim-secret"  # noqa: S105 - published on purpose, opens nothing

DEFAULT_FROM_NUMBER = "+12025550100"
DEFAULT_MESSAGING_APPLICATION_ID = "sim-messaging"
DEFAULT_VOICE_APPLICATION_ID = "sim-voice"
"""The values that the command line prints for a site's settings.  No real phone has that number."""

DEFAULT_NAME = "Example"
"""The value for ``{NAME}`` in a message: the name of the account at Bandwidth."""

DEFAULT_MAX_WRONG = 10
"""The wrong codes for one number within two minutes after which the answer is 429."""

DEFAULT_RECEIPT_DELAY = 0.2
"""The seconds from an answer to its receipt, in which the sender can store the message's id."""
