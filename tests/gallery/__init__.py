"""The gallery: each state of each page, in pictures, and what is wrong with them.

``nox -s gallery`` runs it: see :mod:`tests.gallery.__main__`.
"""
