"""The least rights of the commands that look at topics or make them, on a node of Apache Kafka."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.command import VIEW, here, write_lines
from support.servers.access import Access
from support.servers.least import administrators, environment, least_settings, without_each
from support.servers.secured_kafka import SecuredKafka

from streams.broker.rights import Operation, rights_of
from streams.broker.topics.admin import Admin
from streams.broker.topics.planning import planned
from streams.settings import Settings


@pytest.fixture
def settings(node: SecuredKafka, tmp_path: Path) -> Settings:
    return least_settings(node, tmp_path, topics=False)


def remove(settings: Settings, node: SecuredKafka) -> None:
    """Delete every topic, as the administrator."""

    async def gone() -> None:
        async with Admin(administrators(settings, node)) as admin:
            await admin.delete([plan.name for plan in planned(settings)])
            while await admin.topics([plan.name for plan in planned(settings)]):
                await asyncio.sleep(0.05)

    asyncio.run(gone())


def test_making_topics(settings: Settings, node: SecuredKafka, access: Access) -> None:
    rights = rights_of("topics --go", settings)
    asyncio.run(access.become(rights))
    code, out, err = here("topics", "--go", **environment(settings, node))
    assert (code, err) == (0, "")
    assert out.count(": made, partitions 1, replicas 1, settings as they would be made") == len(rights)
    for right, operation, left in without_each(rights):
        remove(settings, node)
        asyncio.run(access.become(left))
        code, out, err = here("topics", "--go", **environment(settings, node))
        (line,) = [line for line in (out + err).splitlines() if right.name in line and operation in line]
        match operation:
            case Operation.CREATE:
                assert code == 1
                assert line.startswith("wherewithal topics: the broker at")
                assert "denies the login 'least' the right CREATE on the topic" in line
            case Operation.DESCRIBE:
                # The journal is no matter of a worker's.
                assert code == (0 if right.name.endswith("redriven") else 1)
                assert line.startswith(f"# {right.name}: not told, because the login may not DESCRIBE it.")
            case _:
                assert code == 0
                assert line.endswith("its settings are not told: the login needs DescribeConfigs on it")


def test_looking_at_topics(settings: Settings, node: SecuredKafka, access: Access) -> None:
    code, _, err = here("topics", "--go", **environment(settings, node, administrator=True))
    assert (code, err) == (0, "")
    rights = rights_of("topics", settings)
    asyncio.run(access.become(rights))
    code, out, err = here("topics", **environment(settings, node))
    assert (code, err) == (0, "")
    assert out.count(": there, partitions 1, replicas 1, settings as they would be made") == len(rights)
    for right, operation, left in without_each(rights):
        asyncio.run(access.become(left))
        code, out, err = here("topics", **environment(settings, node))
        told = "DescribeConfigs" if operation is Operation.DESCRIBE_CONFIGS else "may not DESCRIBE"
        # Who may see the settings of a topic may not see the topic for that.
        hidden = operation is Operation.DESCRIBE and not right.name.endswith("redriven")
        assert (code, err) == (1 if hidden else 0, "")
        (line,) = [line for line in out.splitlines() if line.startswith("# ") and told in line]
        assert line.startswith(f"# {right.name}: ")


def test_a_replay(settings: Settings, node: SecuredKafka, access: Access, tmp_path: Path) -> None:
    file = write_lines(
        tmp_path / "events.ndjson", [{"topic": "clicks", "value": VIEW}, {"topic": "reviews", "value": {}}]
    )
    rights = rights_of("replay", settings)
    asyncio.run(access.become(rights))
    code, _, err = here("replay", file, **environment(settings, node))
    assert code == 0, err
    for right, operation, left in without_each(rights):
        asyncio.run(access.become(left))
        code, _, err = here("replay", file, **environment(settings, node))
        (said,) = err.splitlines()
        assert code == 1, f"without {operation} on {right.name} it works"
        assert said.startswith("wherewithal replay: the broker "), said
        assert right.name in said, f"without {operation} on {right.name}: {said}"
        assert operation in said, f"without {operation} on {right.name}: {said}"
