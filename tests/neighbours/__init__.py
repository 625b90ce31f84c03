"""Other packages on the same site: each door that they open, tried with the password alone.

``nox -s neighbours`` installs the packages and runs these tests; a package that is missing fails
them.  Doors that use a session are tried on one site (``settings.py``).  Each door that uses none
is tried on a site of its own, in a process of its own (``site.py``), because such packages read
their settings once, when they are imported.
"""
