"""A node of Apache Kafka on which a login may do only what a test gives it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.servers.access import Access
from support.servers.least import LOGIN, PASSWORD
from support.servers.secured_kafka import SecuredKafka


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with SecuredKafka(tmp_path_factory.mktemp("least"), {LOGIN: PASSWORD}, open_by_default=False) as started:
        yield started


@pytest.fixture(scope="module")
def access(node: SecuredKafka) -> Access:
    """Gives and takes the rights of the login."""
    return Access(node.servers, LOGIN)
