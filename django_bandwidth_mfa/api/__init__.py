"""The JSON API, for clients that render their own pages.

It uses the same flows as the pages, so the same rules apply.  ``docs/api.md`` documents the
requests and responses of each URL.
"""

from .errors import ERRORS, ErrorKind

__all__ = ["ERRORS", "ErrorKind"]
