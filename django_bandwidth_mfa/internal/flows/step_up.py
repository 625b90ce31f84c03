"""The step-up flow: a signed-in user types another code before a sensitive action."""

from __future__ import annotations

from ...models import Purpose
from ..login.mark import takes_code_only
from .base import Flow


class StepUpFlow(Flow):
    """The process of a step-up."""

    purpose = Purpose.STEP_UP.value

    @property
    def takes_recovery_codes(self) -> bool:
        """Whether the page from which the user comes accepts a recovery code (``methods``)."""
        return not takes_code_only(self.request.session, self.next)
