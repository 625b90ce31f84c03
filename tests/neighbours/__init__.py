"""Other packages on the same site: each door that they open is tried with the password alone.

``nox -s neighbours`` installs the packages and runs these tests. If a package is missing, its tests
fail. Doors that use a session are tried on one site (``settings.py``). A door without a session is
tried on a separate site in a separate process (``site.py``), because such packages read their
settings only once, at import.
"""
