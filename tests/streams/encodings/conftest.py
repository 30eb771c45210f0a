"""A schema registry of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.servers.fake_registry import FakeRegistry


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as started:
        yield started
