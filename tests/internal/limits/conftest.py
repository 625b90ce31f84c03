from __future__ import annotations

from typing import Any

import pytest
import time_machine


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        yield clock
