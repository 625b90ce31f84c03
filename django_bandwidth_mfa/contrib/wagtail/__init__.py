"""Integration of Wagtail: the account page of its admin links to the user's second factor.

List it in ``INSTALLED_APPS``::

    INSTALLED_APPS = [..., "django_bandwidth_mfa.contrib.wagtail", "wagtail.admin", ...]
"""
