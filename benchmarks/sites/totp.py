"""The codes of authenticator apps."""

import time

SECONDS = 30


def wait_for_a_fresh_period() -> None:
    """Wait if the present code could expire before it is checked."""
    left = SECONDS - time.time() % SECONDS
    if left < 0.5:
        time.sleep(left)
