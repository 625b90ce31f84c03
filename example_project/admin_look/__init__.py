"""The app's pages in the style of Django's admin.

Put it in INSTALLED_APPS before ``django_bandwidth_mfa``, and before any other app that has a
template ``bandwidth_mfa/base.html``.
"""
