"""A site's own session engine that inherits from signed cookies."""

from django.contrib.sessions.backends import signed_cookies


class SessionStore(signed_cookies.SessionStore):
    pass
