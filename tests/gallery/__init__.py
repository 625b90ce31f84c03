"""The gallery: pictures of each state of each page, and the problems of each state.

``nox -s gallery`` runs it: see :mod:`tests.gallery.__main__`.
"""
