"""The adapter of allauth's test projects, with the stage of the code."""

from tests.projects.common import adapters

from django_bandwidth_mfa.contrib.allauth.adapter import CodeStageMixin


class AccountAdapter(CodeStageMixin, adapters.AccountAdapter):
    """Adds the code as the last stage of a login."""
