"""The JSON API, for clients that render their own pages.

It goes through the same flows as the pages, so the same rules hold.  ``docs/api.md`` tells what
each address takes and answers.
"""

from .errors import ERRORS, ErrorKind

__all__ = ["ERRORS", "ErrorKind"]
