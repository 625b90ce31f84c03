"""Works with Django REST framework: permissions, authentication, and its own tokens.

``permissions`` and ``authentication`` need no more than an import.  REST framework's own tokens
need a table, which remembers what the login of a token has shown::

    INSTALLED_APPS = [..., "django_bandwidth_mfa.contrib.rest_framework"]

``docs/rest-framework.md`` tells how to use it.
"""
