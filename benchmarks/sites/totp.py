"""The codes of authenticator apps."""

import time

SECONDS = 30


def wait_for_a_fresh_period() -> None:
    """Wait where the code of this moment could be over before it is checked."""
    left = SECONDS - time.time() % SECONDS
    if left < 0.5:
        time.sleep(left)
