"""Integration of django-hijack, with which staff use the account of a user.

Include these URLs in place of ``hijack.urls``::

    path("hijack/", include("django_bandwidth_mfa.contrib.hijack.urls")),

The names of the URLs are the same, so the buttons in the admin and in templates still work.  No
code is sent, and staff come back to their own account without another code.
"""
