"""A worker whose rights are taken while it runs ends in order: one line tells the right, and no traceback the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import VIEW
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import work
from support.servers.access import Access
from support.servers.least import LOGIN, PASSWORD, administrators, least_settings
from support.servers.secured_kafka import SecuredKafka

from streams.brevity import Brevity
from streams.broker.rights import Resource, rights_of
from streams.exceptions import StreamsError
from streams.worker.flow import Flow


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with SecuredKafka(tmp_path_factory.mktemp("taken"), {LOGIN: PASSWORD}, open_by_default=False) as started:
        yield started


@pytest.mark.parametrize("kept", [[], [Resource.GROUP], [Resource.TOPIC]], ids=["none", "group", "topics"])
def test_rights_taken_from_a_running_worker(
    node: SecuredKafka, tmp_path: Path, caplog: pytest.LogCaptureFixture, kept: list[Resource]
) -> None:
    settings, access = least_settings(node, tmp_path), Access(node.servers, LOGIN)
    rights = rights_of("worker", settings)

    async def run() -> None:
        await access.become(rights)
        async with asyncio.timeout(PATIENCE_S), Flow(settings, encoder=HashEncoder()) as flow:
            found, flow.settings = flow.settings, administrators(settings, node)
            await work(flow, [{"topic": "clicks", "value": VIEW}])
            flow.settings = found
            await access.become(right for right in rights if right.resource in kept)
            await flow.wait()

    with caplog.at_level(logging.INFO), pytest.raises(StreamsError, match="denies the login 'least' the right"):
        asyncio.run(run())
    brevity = Brevity()
    said = [record for record in caplog.records if brevity.filter(record)]
    assert [record.getMessage() for record in said if record.exc_info] == []
    assert [record.getMessage() for record in said if "did not stop in time" in record.getMessage()] == []
