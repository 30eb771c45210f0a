"""What is planned of topics: a reason for each setting, commands that a shell takes, and what differs."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from streams.broker.rights import Resource, rights_of
from streams.broker.topics.admin import Topic
from streams.broker.topics.planning import Difference, Level, Planned, create_command, differences, planned
from streams.broker.topics.survey import Survey
from streams.broker.topics.topic_settings import wanted
from streams.settings import Settings, load_settings

NAMES = st.text("abcXYZ019._-", min_size=1, max_size=40).filter(lambda name: name not in (".", ".."))


def settings_of(**changes: Any) -> Settings:
    return load_settings(**({"broker": "kafka://a:9092,b:9092"} | changes))


def survey_of(settings: Settings, *, replicas: int = 3, nodes: int = 3, **changed: dict[str, str]) -> Survey:
    """A cluster with every topic as it would be made, but for these settings of some, by the topic's short name."""
    plans = planned(settings)
    configs = {plan.name: dict(plan.configs) for plan in plans}
    for name, settings_of_one in changed.items():
        configs[name.replace("_", "-")] |= settings_of_one
    topics = {plan.name: Topic(4, 0, replicas) for plan in plans}
    return Survey("c", nodes, set(topics), topics, configs)


@pytest.mark.parametrize("replication", [-1, 1, 3])
def test_every_setting_has_a_reason(replication: int) -> None:
    plans = planned(settings_of(replication=replication))
    assert [plan for plan in plans if not plan.configs.keys() <= plan.reasons.keys()] == []
    assert all(plan.holds for plan in plans)


@pytest.mark.parametrize("capacity_artefact", ["", "some/folder"])
def test_what_a_worker_makes_is_planned_and_the_journal(capacity_artefact: str) -> None:
    settings = settings_of(topic_prefix="shop.", topic_clicks="events", capacity_artefact=capacity_artefact)
    plans = {plan.name: plan for plan in planned(settings)}
    journal = plans.pop("shop.wherewithal-redriven")
    assert {name: plan.configs for name, plan in plans.items()} == wanted(settings)
    assert journal.made(12, 3).partitions == 1
    assert "events" in plans
    assert ("shop.purchasing-capacity" in plans) == bool(capacity_artefact)


@pytest.mark.parametrize("capacity_artefact", ["", "some/folder"])
def test_rights_are_asked_on_all_that_is_planned(capacity_artefact: str) -> None:
    settings = settings_of(capacity_artefact=capacity_artefact)
    for command in ("topics", "topics --go"):
        rights = rights_of(command, settings)
        assert {right.name for right in rights} == {plan.name for plan in planned(settings)}
        assert {right.resource for right in rights} == {Resource.TOPIC}


def test_states_and_scores_are_acknowledged_by_two_where_three_have_them() -> None:
    def insync(replication: int) -> list[str]:
        plans: list[Planned] = planned(settings_of(replication=replication))
        return [plan.name for plan in plans if plan.configs.get("min.insync.replicas") == "2"]

    assert insync(-1) == insync(2) == []
    assert insync(3) == ["purchasing-power", "wherewithal-users-changelog"]


@tried(deadline=None, max_examples=50)
@given(prefix=NAMES, partitions=st.integers(1, 10_000), replication=st.sampled_from([-1, 1, 3]))
def test_a_command_is_what_is_planned(prefix: str, partitions: int, replication: int) -> None:
    settings = settings_of(topic_prefix=prefix, replication=replication)
    for plan in planned(settings):
        topic = plan.made(partitions, replication)
        tool, *words = shlex.split(create_command(topic, "a:9092,b:9092"))
        assert tool == "kafka-topics.sh"
        assert words[:4] == ["--bootstrap-server", "a:9092,b:9092", "--create", "--if-not-exists"]
        options = list(zip(words[4::2], words[5::2], strict=True))
        replicas = [("--replication-factor", str(replication))] if replication > 0 else []
        configs = [("--config", f"{name}={value}") for name, value in topic.configs.items()]
        assert options == [("--topic", plan.name), ("--partitions", str(topic.partitions)), *replicas, *configs]


def test_topics_as_they_would_be_made_do_not_differ() -> None:
    for replication in (-1, 3):
        settings = settings_of(replication=replication)
        assert differences(settings, survey_of(settings)) == []


def test_what_is_not_told_does_not_differ() -> None:
    settings = settings_of()
    assert differences(settings, survey_of(settings)._replace(configs={})) == []


def test_differences_have_levels_and_the_worst_comes_first() -> None:
    settings = settings_of(replication=3)
    found = differences(
        settings,
        survey_of(
            settings,
            reviews={"message.timestamp.type": "CreateTime", "retention.ms": "1000"},
            clicks={"cleanup.policy": "compact"},
            wherewithal_redriven={"cleanup.policy": "delete"},
        ),
    )
    assert [(fault.level, fault.topic, fault.setting, fault.found) for fault in found] == [
        (Level.REFUSED, "clicks", "cleanup.policy=delete", "compact"),
        (Level.WARNING, "reviews", "retention.ms=86400000", "1000"),
        (Level.WARNING, "wherewithal-redriven", "cleanup.policy=compact", "delete"),
        (Level.CHOICE, "reviews", "message.timestamp.type=LogAppendTime", "CreateTime"),
    ]


def test_one_setting_differs_once() -> None:
    settings = settings_of()
    (fault,) = differences(settings, survey_of(settings, purchasing_power={"min.compaction.lag.ms": "0"}))
    assert (fault.level, fault.found) == (Level.WARNING, "0")


@pytest.mark.parametrize(("replicas", "level"), [(1, Level.WARNING), (2, Level.CHOICE)])
def test_fewer_replicas_than_asked_for_differ(replicas: int, level: Level) -> None:
    settings = settings_of(replication=3)
    found = [fault for fault in differences(settings, survey_of(settings, replicas=replicas)) if fault.level is level]
    assert "purchasing-power" in {fault.topic for fault in found}
    assert {(fault.setting, fault.found, fault.command("a:9092")) for fault in found} == {
        ("3 replicas", str(replicas), None)
    }


def test_two_in_sync_are_no_advice_for_a_topic_of_one_replica() -> None:
    settings = settings_of(replication=3)
    found = survey_of(settings, replicas=1, purchasing_power={"min.insync.replicas": "1"})
    assert {fault.setting for fault in differences(settings, found)} == {"3 replicas"}


def test_a_difference_names_the_command_that_mends_it() -> None:
    fault = Difference(Level.WARNING, "clicks", "retention.ms=86400000", "1", "why")
    assert fault.command("a:9092") == (
        "kafka-configs.sh --bootstrap-server a:9092 --alter --entity-type topics --entity-name clicks "
        "--add-config retention.ms=86400000"
    )
