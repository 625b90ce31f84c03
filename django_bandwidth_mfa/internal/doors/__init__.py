"""Doors: ways to sign in with the password alone, and without a session.

The app parks sessions.  A view that exchanges a password for a token, and a request with the
password in a header, use no session, so the app cannot require a code there.  The system checks
report such doors, and how to close them.

The checks examine the views of the URLconf, with the classes and settings that these views really
use.  A package that is only installed is not a door.
"""

from .finders import find_doors, find_endless_refreshes, find_endless_sessions
from .kinds import Door, Kind
from .urlconf import is_subclass

__all__ = [
    "Door",
    "Kind",
    "find_doors",
    "find_endless_refreshes",
    "find_endless_sessions",
    "is_subclass",
]
