"""Topics and group are named by a prefix, or exactly as a shop names them; and where a new group begins."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from support.artefacts import capacity_artefact
from support.encoders import HashEncoder
from support.oracle import assert_reference
from support.runs import quick_settings, run_flow
from support.servers.brokers import Broker
from support.shoppers import encoded, random_lines

from streams.broker.topics.counts import partition_counts
from streams.contract import TOPICS, changelog_name, journal_name, topic_name
from streams.exceptions import ConfigurationError
from streams.name_settings import TOPIC_SETTINGS, group_name, names_of_its_own
from streams.settings import load_settings


def test_names_follow_from_prefix_and_group_unless_they_are_given_exactly() -> None:
    settings = load_settings(topic_prefix="eu-", group="w")
    assert [topic_name(settings, topic) for topic in TOPICS] == [f"eu-{topic}" for topic in TOPICS]
    assert (changelog_name(settings), journal_name(settings)) == ("eu-w-users-changelog", "eu-w-redriven")
    assert group_name(settings) == "eu-w"
    exact = load_settings(topic_prefix="eu-", group="w", group_id="cg.scores", topic_clicks="web.clicks.v2")
    assert (topic_name(exact, "clicks"), topic_name(exact, "reviews")) == ("web.clicks.v2", "eu-reviews")
    assert group_name(exact) == "cg.scores"
    assert changelog_name(exact) == "eu-w-users-changelog"


def test_a_topic_named_in_two_settings_is_refused_with_both() -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(topic_clicks="events", topic_searches="events")
    assert str(refused.value).startswith("WHEREWITHAL_TOPIC_SEARCHES: expected a topic of its own for each of")
    with pytest.raises(ConfigurationError, match=r"TOPIC_SCORES: expected a topic of its own .* found 'clicks'"):
        load_settings(topic_scores="clicks")


@pytest.mark.parametrize("name", ["a/b", "ä", "..", "n" * 250])
def test_a_name_that_kafka_does_not_take_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="WHEREWITHAL_TOPIC_CLICKS: "):
        load_settings(topic_clicks=name)


@pytest.mark.parametrize(("part", "least"), [("topic_prefix", "users-changelog"), ("group", "users-changelog")])
def test_a_prefix_or_group_that_makes_a_name_too_long_is_refused(part: str, least: str) -> None:
    default = len(changelog_name(load_settings())) - (len("wherewithal") if part == "group" else 0)
    load_settings(**{part: "n" * (249 - default)})
    with pytest.raises(
        ConfigurationError, match=rf"WHEREWITHAL_{part.upper()}: .* 249 characters, found 250 for {least}"
    ):
        load_settings(**{part: "n" * (250 - default)})


def test_a_run_with_names_of_its_own_keeps_none_that_a_shop_gave() -> None:
    given = {setting: f"shop.{setting}" for setting in TOPIC_SETTINGS.values()}
    settings = load_settings(group_id="shop", **given).model_copy(update=names_of_its_own("replay-1-"))
    names = [topic_name(settings, topic) for topic in TOPICS]
    assert all(name.startswith("replay-1-") for name in (*names, changelog_name(settings), group_name(settings)))


async def test_a_flow_works_on_topics_of_a_shops_own_names(tmp_path: Path, broker: Broker) -> None:
    mark = uuid4().hex[:8]
    given = {setting: f"{mark}.{setting}" for setting in TOPIC_SETTINGS.values()}
    capacity_artefact().save(tmp_path / "capacity")
    given |= {"items": "true", "group_id": f"{mark}.group", "capacity_artefact": str(tmp_path / "capacity")}
    settings = quick_settings(tmp_path, broker=broker.url, **given)
    lines = random_lines(seed=3, events=200, users=10)
    run = await run_flow(settings, encoded(lines), encoder=HashEncoder())
    assert_reference(run, lines)
    names = [given[setting] for setting in TOPIC_SETTINGS.values()]
    made = await partition_counts(settings, names)
    # The journal is made by the first letter that is sent back.
    assert set(made) == set(names) - {given["topic_redriven"]}


@pytest.mark.parametrize(("start", "instant"), [("earliest", None), ("latest", None), ("1764000000000", 1764000000000)])
def test_a_start_is_a_name_or_an_instant(start: str, instant: int | None) -> None:
    assert load_settings(start_from=start).start_from_ms == instant
    assert load_settings(start_from="2025-11-24T16:00:00Z").start_from_ms == 1764000000000


@pytest.mark.parametrize("start", ["soon", "2025-11-24", "2025-11-24T16:00:00", "-1", "9" * 30])
def test_another_start_is_refused_in_one_line(start: str) -> None:
    with pytest.raises(ConfigurationError, match=r"WHEREWITHAL_START_FROM: expected `earliest`, `latest`, epoch") as no:
        load_settings(start_from=start)
    assert "\n" not in str(no.value)
