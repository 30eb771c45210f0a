"""A session that no process of the tests misses, however busy the machine is."""

from __future__ import annotations

import pytest
from support.patience import PATIENCE_S


@pytest.fixture
def session(request: pytest.FixtureRequest) -> dict[str, float]:
    """Settings for tests that count records: a process that is taken for dead sends again what it had not committed.

    The embedded broker lets a first member in after half a session only: there it stays short.
    """
    return {"session_timeout_s": PATIENCE_S} if request.config.getoption("broker") == "kafka" else {}
