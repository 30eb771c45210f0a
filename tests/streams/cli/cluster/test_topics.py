"""`wherewithal topics`: what has to be made is printed as commands with reasons, and made only when told to."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest
from support.command import here, refused
from support.logs import alter
from support.runs import quick_settings
from support.servers.brokers import Broker
from support.servers.kafka import Kafka

from streams.broker.topics.admin import Admin, Made, Topic
from streams.broker.topics.planning import planned
from streams.broker.topics.provisioning import make_topics
from streams.settings import Settings, load_settings

COMMANDS = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
}


def commands(script: str) -> list[str]:
    """The lines of a script that a shell would run; a shell has to take the whole."""
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    return [line for line in script.splitlines() if line and not line.startswith("#")]


def topics(settings: Settings) -> dict[str, Topic]:
    """The topics of these settings that are there."""

    async def there() -> Mapping[str, Topic]:
        async with Admin(settings) as admin:
            return await admin.topics([plan.name for plan in planned(settings)])

    return dict(asyncio.run(there()))


def make(settings: Settings, **partitions: int) -> None:
    """Make topics with a number of partitions each, by their names without the prefix."""

    async def made() -> None:
        async with Admin(settings) as admin:
            names = {f"{settings.topic_prefix}{name}": count for name, count in partitions.items()}
            await admin.create([Made(name, count, 1, {}) for name, count in names.items()])
            await admin.led(names)

    asyncio.run(made())


def test_without_a_broker_all_commands_are_printed() -> None:
    code, out, err = here("topics", WHEREWITHAL_PARTITIONS="12", WHEREWITHAL_REPLICATION="3")
    assert (code, err) == (0, "")
    found = commands(out)
    assert len(found) == len(planned(load_settings()))
    assert all(line.startswith("kafka-topics.sh --bootstrap-server BROKER:9092 --create") for line in found)
    assert [line for line in found if "--partitions 12 --replication-factor 3" not in line] == [found[-1]]
    for line in found:
        for word in shlex.split(line):
            assert "=" not in word or f"#   {word}: " in out


def test_without_a_broker_none_can_be_made() -> None:
    assert refused(2, "topics", "--go").startswith("wherewithal topics: WHEREWITHAL_BROKER: expected kafka://host:port")


def test_a_broker_that_is_away_leaves_the_commands(unused_port: int) -> None:
    away = {"WHEREWITHAL_BROKER": f"kafka://127.0.0.1:{unused_port}", "WHEREWITHAL_REQUEST_TIMEOUT_S": "1"}
    code, out, err = here("topics", **away)
    assert code == 1
    assert len(commands(out)) == len(planned(load_settings()))
    assert f"127.0.0.1:{unused_port}" in commands(out)[0]
    assert err.startswith("wherewithal topics: ")
    assert err.count("\n") == 1
    refused(1, "topics", "--go", **away)


def test_a_login_needs_a_file_for_the_tools() -> None:
    _, out, _ = here("topics", WHEREWITHAL_BROKER_USERNAME="u", WHEREWITHAL_BROKER_PASSWORD="hidden")
    assert "--command-config FILE" in out.splitlines()[1]
    assert "hidden" not in out


def test_they_are_made_once_told_to_and_not_before(broker: Broker) -> None:
    settings = load_settings(broker=broker.url, topic_prefix=broker.topic_prefix)
    code, out, err = here("topics", **broker.environment, WHEREWITHAL_PARTITIONS="2")
    assert (code, err) == (1, "")
    assert len(commands(out)) == len(planned(settings))
    assert out.count(": missing. It holds ") == len(planned(settings))
    assert topics(settings) == {}
    code, out, err = here("topics", "--go", **broker.environment, WHEREWITHAL_PARTITIONS="2")
    assert (code, err, commands(out)) == (0, "", [])
    assert out.count(": made, partitions ") == len(planned(settings))
    counts = {name.removeprefix(broker.topic_prefix): topic.partitions for name, topic in topics(settings).items()}
    assert counts.pop("wherewithal-redriven") == 1
    assert set(counts.values()) == {2}
    code, out, err = here("topics", "--go", **broker.environment)
    assert (code, err, commands(out)) == (0, "", [])
    assert out.count(": there, partitions ") == len(planned(settings))


def test_what_a_worker_made_is_fit_and_the_journal_can_be_made(broker: Broker, tmp_path: Path) -> None:
    asyncio.run(make_topics(quick_settings(tmp_path, broker=broker.url, topic_prefix=broker.topic_prefix)))
    code, out, err = here("topics", **broker.environment)
    assert (code, err) == (0, "")
    (line,) = commands(out)
    assert f"--topic {broker.topic_prefix}wherewithal-redriven --partitions 1" in line


def test_topics_that_are_there_decide_on_the_partitions_of_others(broker: Broker) -> None:
    settings = load_settings(broker=broker.url, topic_prefix=broker.topic_prefix)
    make(settings, clicks=3)
    code, out, _ = here("topics", **broker.environment, WHEREWITHAL_PARTITIONS="2")
    assert code == 1
    assert [line for line in commands(out) if "--partitions 3 " not in line] == commands(out)[-1:]
    assert "whatever WHEREWITHAL_PARTITIONS says, which is 2)" in out
    assert here("topics", "--go", **broker.environment, WHEREWITHAL_PARTITIONS="2")[0] == 0
    assert {topic.partitions for topic in topics(settings).values()} == {1, 3}


def test_topics_that_disagree_on_partitions_are_refused_and_nothing_is_made(broker: Broker) -> None:
    settings = load_settings(broker=broker.url, topic_prefix=broker.topic_prefix)
    make(settings, clicks=3, reviews=2)
    code, out, _ = here("topics", **broker.environment)
    assert code == 1
    assert "# refused: expected all topics to have the same number of partitions, found" in out
    assert [line for line in commands(out) if "redriven" not in line] == []
    line = refused(1, "topics", "--go", **broker.environment)
    assert line.startswith("wherewithal topics: expected all topics to have the same number of partitions")
    assert len(topics(settings)) == 2


@pytest.fixture
def settings(kafka: Kafka, tmp_path: Path) -> Settings:
    return quick_settings(tmp_path, broker=kafka.url, topic_prefix=f"{uuid4().hex[:8]}-")


def environment(settings: Settings) -> dict[str, str]:
    return {"WHEREWITHAL_BROKER": settings.broker, "WHEREWITHAL_TOPIC_PREFIX": settings.topic_prefix}


def play(kafka: Kafka, line: str) -> None:
    """Run a printed command with the tool of Kafka that it names."""
    tool, *words = shlex.split(line)
    kafka.tool(COMMANDS[tool], *words)


def test_the_printed_commands_make_what_go_makes(kafka: Kafka, settings: Settings) -> None:
    _, out, _ = here("topics", **environment(settings))
    # One of each kind, since each run of a tool takes seconds.
    for name in ("clicks", "dead-letters", "users-changelog", "redriven"):
        (line,) = [line for line in commands(out) if f"{name} --partitions" in line]
        play(kafka, line)
    code, out, _ = here("topics", **environment(settings))
    assert code == 1
    assert out.count(": there, partitions 4, replicas 1, settings as they would be made") == 3
    assert out.count(": there, partitions 1, replicas 1, settings as they would be made") == 1


def test_an_existing_topic_is_left_alone_with_the_command_that_would_change_it(
    kafka: Kafka, settings: Settings
) -> None:
    asyncio.run(make_topics(settings))
    scores = f"{settings.topic_prefix}purchasing-power"
    asyncio.run(alter(settings, scores, **{"cleanup.policy": "delete", "segment.ms": "1000"}))
    code, out, err = here("topics", "--go", **environment(settings))
    assert (code, err) == (1, "")
    lines = out.splitlines()
    at = lines.index(f"# {scores}: there, partitions 3, replicas 1")
    assert lines[at + 1].startswith("#   refused: expected cleanup.policy=compact, found delete: the newest records")
    assert lines[at + 3].startswith("#   may be so: expected segment.ms=86400000, found 1000: compaction does not")
    assert commands(out) == []
    play(kafka, lines[at + 2].removeprefix("#").strip())
    code, out, err = here("topics", **environment(settings))
    assert (code, err) == (0, "")
    assert "refused" not in out


def test_what_the_broker_does_not_make_is_one_line(settings: Settings) -> None:
    line = refused(1, "topics", "--go", **environment(settings), WHEREWITHAL_REPLICATION="3")
    assert "InvalidReplicationFactorError" in line
    assert topics(settings) == {}
