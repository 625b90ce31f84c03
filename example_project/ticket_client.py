"""A client on the command line, without cookies: it signs in with a ticket.

::

    python example_project/ticket_client.py demo --site http://127.0.0.1:8000

It asks the user for the password and the code, and prints the balance.  It needs no packages.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any


class Refused(Exception):
    """An error from the site. Its text is for people.

    :param code: the name of the error, for programs.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Client:
    """Sends JSON to the site, and reads its answers.

    :param site: the address of the site, without a slash at the end.
    """

    def __init__(self, site: str) -> None:
        self.site = site

    def ask(
        self, path: str, body: Mapping[str, object] | None = None, *, authorization: str = ""
    ) -> dict[str, Any]:
        """Return the site's answer to a POST of ``body``, or to a GET if ``body`` is None.

        :raises Refused: the site answers with an error.
        """
        headers = {"Content-Type": "application/json"}
        if authorization:
            headers["Authorization"] = authorization
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.site + path, data, headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
                answer: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            refusal = json.load(error)["error"]
            raise Refused(refusal["message"], refusal["code"]) from None
        return answer

    def sign_in(self, username: str) -> str:
        """Send the password, and the code if one is needed. Return the completion of the login."""
        password = read_secret("Password: ")
        state = self.ask("/mfa/api/login", {"username": username, "password": password})
        if state["needs"] == "phone":
            raise Refused("Add a phone on the site first.")
        if state["completion"] is None:
            ticket = f"MFA-Ticket {state['ticket']}"
            state = self.ask("/mfa/api/send", {}, authorization=ticket)
            print(f"A code is on its way to {state['code']['challenge']['number']}.", flush=True)
            while state["completion"] is None:
                code = {"code": read_line("Code: ")}
                try:
                    state = self.ask("/mfa/api/verify", code, authorization=ticket)
                except Refused as error:
                    if error.code not in ("wrong_code", "invalid"):
                        raise
                    print(error, flush=True)
        completion: str = state["completion"]
        return completion


def read_secret(prompt: str) -> str:
    """Read a line that the terminal does not show. In a pipe, read a normal line."""
    return getpass.getpass(prompt) if sys.stdin.isatty() else read_line("")


def read_line(prompt: str) -> str:
    try:
        return input(prompt)
    except EOFError:
        raise Refused("No more input.") from None


def main() -> int:
    parser = argparse.ArgumentParser(description="Sign in at the example site with a ticket.")
    parser.add_argument("username")
    parser.add_argument("--site", default="http://127.0.0.1:8000")
    options = parser.parse_args()
    client = Client(options.site.rstrip("/"))
    try:
        completion = client.sign_in(options.username)
        token = client.ask("/app/token/", {"completion": completion})["token"]
        account = client.ask("/app/balance/", authorization=f"Bearer {token}")
    except (Refused, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{account['user']} has ${account['balance']}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
