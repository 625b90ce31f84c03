"""The inside of the app.  Anything here may change in any release.

Public modules stand one folder up; ``docs/architecture.md`` says how the folders build on each
other.
"""
