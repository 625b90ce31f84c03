"""The app's pages in the look of Bootstrap 5.

List it before ``django_bandwidth_mfa``, and before any other app that has a template
``bandwidth_mfa/base.html``.
"""
