"""allauth's adapter for accounts, whose logins ask for the code last."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter

__all__ = ["AccountAdapter", "CodeStageMixin"]


class CodeStageMixin:
    """Stands to the left of an adapter of the site's own.

    ::

        class Adapter(CodeStageMixin, DefaultAccountAdapter): ...
    """

    def get_login_stages(self) -> list[str]:
        """Return allauth's stages, and that of the code, which has to be the last one."""
        stages: list[str] = super().get_login_stages()  # type: ignore[misc]
        return [*stages, "django_bandwidth_mfa.contrib.allauth.stages.CodeStage"]


class AccountAdapter(CodeStageMixin, DefaultAccountAdapter):
    """allauth's own adapter, with the stage of the code."""
