"""Other packages on the same site: each door that they open, tried with the password alone.

``nox -s neighbours`` installs the packages and runs these tests; a package that is missing fails
them.  Each test runs a site of its own in a process of its own (``site.py``), because such packages
read their settings once, when they are imported.
"""
