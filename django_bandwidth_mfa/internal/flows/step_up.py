"""The flow of a step-up: a signed-in user gives another code before a sensitive action."""

from __future__ import annotations

from ...models import Purpose
from ..login.mark import takes_code_only
from .base import Flow


class StepUpFlow(Flow):
    """A signed-in user who gives another code."""

    purpose = Purpose.STEP_UP.value

    @property
    def takes_recovery_codes(self) -> bool:
        """Whether a recovery code opens the page that the user comes from (``methods``)."""
        return not takes_code_only(self.request.session, self.next)
