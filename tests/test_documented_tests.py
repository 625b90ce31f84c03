"""The tests in docs/testing.md, run as they are.

The pages that they open, the login page of the admin and ``/transfer/``, are also on the test site.
"""

from __future__ import annotations

import pytest
from django.conf import settings

from .code_blocks import blocks

pytestmark = pytest.mark.skipif(
    # The tests of the page need Django's own user model.
    settings.AUTH_USER_MODEL != "auth.User",
    reason="another user model",
)

for block in blocks("python", pages=["docs/testing.md"]):
    exec(compile(block.text, block.where, "exec"), globals())  # noqa: S102
