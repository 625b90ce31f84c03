"""The account adapter of allauth, with the code as the last stage of each login."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter

__all__ = ["AccountAdapter", "CodeStageMixin"]


class CodeStageMixin:
    """Add the code to an account adapter.  Put it to the left of the site's own adapter class.

    ::

        class Adapter(CodeStageMixin, DefaultAccountAdapter): ...
    """

    def get_login_stages(self) -> list[str]:
        """Return allauth's stages, and then the stage of the code, which must be the last one."""
        stages: list[str] = super().get_login_stages()  # type: ignore[misc]
        return [*stages, "django_bandwidth_mfa.contrib.allauth.stages.CodeStage"]


class AccountAdapter(CodeStageMixin, DefaultAccountAdapter):
    """allauth's own adapter, with the stage of the code."""
