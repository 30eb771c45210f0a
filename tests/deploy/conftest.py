"""The services of the compose file, for every test of a deployment file."""

from __future__ import annotations

from typing import Any

import pytest
from support.servers.compose import ONE_NODE, composed


@pytest.fixture(scope="session")
def services() -> dict[str, Any]:
    found = composed(ONE_NODE)["services"]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="session")
def workers(services: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in services.items() if name.startswith("worker")}
