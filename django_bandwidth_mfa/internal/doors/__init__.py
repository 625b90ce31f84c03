"""Doors that take the password alone and use no session: what stands open, and how to close it.

The app parks sessions.  A view that answers a password with a token, or a request that carries the
password itself, never touches a session, so the app cannot ask for a code there.  The system checks
name such doors.

They look at what is in force: the views of the URLconf with the classes and settings that these
views really use.  An app that is only installed is no door.
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
