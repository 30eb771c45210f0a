"""Rows for the tests of the online store."""

from __future__ import annotations

from typing import Any, Protocol

import pytest
from support import online_rows

from features.online import OnlineRow


class MakeRow(Protocol):
    def __call__(self, user_id: str = "u1", revision: int = 1, **changes: Any) -> OnlineRow: ...


@pytest.fixture(scope="session")
def make_row() -> MakeRow:
    return online_rows.make_row
