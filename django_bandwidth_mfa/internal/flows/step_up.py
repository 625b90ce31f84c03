"""The flow of a step-up: a signed-in user gives another code before a sensitive action."""

from __future__ import annotations

from ...models import Purpose
from .base import Flow


class StepUpFlow(Flow):
    """A signed-in user who gives another code."""

    purpose = Purpose.STEP_UP.value
