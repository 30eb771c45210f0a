"""`worker --check` on nodes of Apache Kafka that know rights: a line for each, and only what is missing is not well."""

from __future__ import annotations

import asyncio
from pathlib import Path

from support.command import here
from support.runs import quick_settings
from support.servers.access import Access
from support.servers.brokers import Broker
from support.servers.kafka import Kafka
from support.servers.least import LOGIN, administrators, environment, least_settings, without_each
from support.servers.secured_kafka import SecuredKafka

from streams.broker.rights import Operation, Resource, Right, rights_of
from streams.broker.topics.admin import Admin
from streams.broker.topics.topic_settings import wanted
from streams.operating.checking.cluster import cluster_findings
from streams.operating.checking.finding import Finding
from streams.settings import Settings

ALL = [
    f"right {operation} on {right}"
    for operation, right in [
        *(("READ", f"topic {name}") for name in ("reviews", "searches", "clicks", "erasures")),
        *((operation, "topic wherewithal-users-changelog") for operation in ("READ", "WRITE")),
        *((operation, "topic purchasing-power") for operation in ("READ", "WRITE")),
        ("WRITE", "topic dead-letters"),
        ("READ", "group wherewithal"),
    ]
]


def look(settings: Settings) -> list[Finding]:
    return asyncio.run(cluster_findings(settings))[0]


def ill(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if not finding.well]


def rights(found: list[Finding], settings: Settings) -> dict[str, str]:
    """The verdict on each right, by what it is without the prefix."""
    return {
        finding.what.replace(settings.topic_prefix, ""): finding.verdict
        for finding in found
        if finding.what.startswith("right")
    }


def test_each_right_alone_is_missed(node: SecuredKafka, access: Access, tmp_path: Path) -> None:
    settings = least_settings(node, tmp_path)
    needed = rights_of("worker", settings)
    asyncio.run(access.become(needed))
    found = look(settings)
    assert rights(found, settings) == dict.fromkeys(ALL, "ok")
    assert ill(found) == []
    for right, operation, left in without_each(needed):
        asyncio.run(access.become(left))
        (said,) = ill(look(settings))
        assert said.what == f"right {operation} on {right.resource} {right.name}"
        give = f"--add --allow-principal User:{LOGIN} --operation {operation} --{right.resource} {right.name}"
        assert said.said.endswith(f"kafka-acls.sh --bootstrap-server {node.guarded_url[8:]} {give}")


def test_a_login_without_any_right_is_told_each_of_them(node: SecuredKafka, access: Access, tmp_path: Path) -> None:
    settings = least_settings(node, tmp_path)
    asyncio.run(access.become([]))
    found, cluster = asyncio.run(cluster_findings(settings))
    assert cluster is None
    assert rights(found, settings) == dict.fromkeys(ALL, "NOT WELL")
    topics = {finding.verdict for finding in found if finding.what.startswith(("topic ", "partitions"))}
    assert topics == {"not told"}
    assert len(ill(found)) == len(ALL)


def test_settings_are_told_to_whom_may_see_them(node: SecuredKafka, access: Access, tmp_path: Path) -> None:
    settings = least_settings(node, tmp_path)
    needed = rights_of("worker", settings)
    clicks = f"{settings.topic_prefix}clicks"
    asyncio.run(access.become([*needed, Right(Resource.TOPIC, clicks, frozenset({Operation.DESCRIBE_CONFIGS}))]))
    told = {finding.what: finding.verdict for finding in look(settings) if finding.what.startswith("settings of")}
    assert told.pop(f"settings of {clicks}") == "ok"
    assert set(told.values()) == {"not told"}


def test_topics_that_are_missing_ask_for_the_right_to_make_them(
    node: SecuredKafka, access: Access, tmp_path: Path
) -> None:
    settings = least_settings(node, tmp_path, topics=False)
    needed = rights_of("worker", settings)
    names = list(wanted(settings))
    create = {f"right CREATE on topic {name}" for name in names}
    asyncio.run(access.become(needed))
    found = look(settings)
    assert {finding.what for finding in ill(found)} == create
    assert all(f"--operation CREATE --topic {settings.topic_prefix}" in finding.said for finding in ill(found))
    clicks, *others = [Right(Resource.TOPIC, name, frozenset({Operation.CREATE})) for name in names]
    asyncio.run(access.become([*needed, *others]))
    assert [finding.what for finding in ill(look(settings))] == [f"right CREATE on topic {clicks.name}"]
    asyncio.run(access.become(needed))
    # A right on the cluster is one on every topic.
    node.allow(LOGIN, "Create", "--cluster")
    found = look(settings)
    assert ill(found) == []
    assert create < {finding.what for finding in found}

    async def made() -> dict[str, object]:
        async with Admin(administrators(settings, node)) as admin:
            return {**await admin.topics(names)}

    assert asyncio.run(made()) == {}


def test_topics_that_the_broker_would_not_make_are_told(node: SecuredKafka, tmp_path: Path) -> None:
    settings = quick_settings(tmp_path, broker=node.url, topic_prefix="three-", replication=3)
    found = look(settings)
    assert {finding.what for finding in ill(found)} == {f"making topic {name}" for name in wanted(settings)}
    assert all("InvalidReplicationFactorError" in finding.said for finding in ill(found))


def test_the_command_says_it(node: SecuredKafka, access: Access, tmp_path: Path) -> None:
    settings = least_settings(node, tmp_path)
    needed = rights_of("worker", settings)
    asyncio.run(access.become(needed[1:]))
    chosen = environment(settings, node) | {"WHEREWITHAL_METRICS_PORT": "0"}
    code, out, err = here("worker", "--check", **chosen)
    assert (code, err) == (1, "")
    (line,) = [line for line in out.splitlines() if line.startswith("NOT WELL")]
    assert line.startswith(f"NOT WELL right READ on topic {needed[0].name}: expected it, found none: give it with")
    assert f"not told topic {needed[0].name}: " in out
    asyncio.run(access.become(needed))
    assert here("worker", "--check", **chosen)[0] == 0


def test_a_node_without_lists_gives_every_right(kafka: Kafka, tmp_path: Path) -> None:
    settings = quick_settings(tmp_path, broker=kafka.url, topic_prefix=f"{tmp_path.name[-6:]}-")
    verdicts = rights(look(settings), settings)
    assert set(verdicts.values()) == {"ok"}
    assert set(verdicts) > set(ALL)


def test_a_broker_that_does_not_tell_is_no_failure(broker: Broker, tmp_path: Path) -> None:
    settings = quick_settings(tmp_path, broker=broker.url, topic_prefix=broker.topic_prefix)
    found = look(settings)
    assert ill(found) == []
    (said,) = [finding for finding in found if finding.what.startswith("right")][:1]
    assert said.verdict in ("ok", "not told")
    assert (said.what == "rights") == (said.verdict == "not told")

    async def made() -> dict[str, object]:
        async with Admin(settings) as admin:
            return {**await admin.topics(list(wanted(settings)))}

    assert asyncio.run(made()) == {}
