"""The internal modules of the app.  Anything here may change in any release.

The public modules are in the parent folder.  ``README.md`` in this folder describes the layout and
the import rules.
"""
