"""The inside of the app.  Anything here may change in any release.

The public modules stand one folder up.  ``README.md`` in this folder says what is where, and what
may import what.
"""
