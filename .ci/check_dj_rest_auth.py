"""Run dj-rest-auth's own tests on a site where all users need a code.

``check_dj_rest_auth.py PART`` runs the tests that are installed with dj-rest-auth. ``PART`` is
``contrib``. Two other values are for comparison: ``app`` runs without
``django_bandwidth_mfa.contrib`` and without a code, and ``none`` runs without this app. The tests
run twice: with the session that dj-rest-auth makes beside a token, and with tokens alone. Further
arguments go to pytest. The exit status is not zero if a test fails.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import dj_rest_auth
import their_tests

LOGINS = ("sessions", "tokens")


def main(part: str, *arguments: str) -> int:
    """Run the tests, and return the exit status."""
    os.environ["DJ_REST_AUTH_WITH"] = part
    suite, source = "dj_rest_auth_suite", Path(dj_rest_auth.__file__).parent
    # nox installs dj-rest-auth below this working copy, whose pytest configuration must not apply.
    arguments = ("-c", os.devnull, "--rootdir", str(source), *arguments)
    return max(
        their_tests.run(suite, source, "tests", *arguments, DJ_REST_AUTH_LOGIN=login)
        for login in LOGINS
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
