"""Integration of Django REST framework: permissions, authentication, and its own tokens.

``permissions`` and ``authentication`` only need to be imported.  REST framework's own tokens need a
table, which stores the login of each token::

    INSTALLED_APPS = [..., "django_bandwidth_mfa.contrib.rest_framework"]

``docs/rest-framework.md`` describes how to use it.
"""
