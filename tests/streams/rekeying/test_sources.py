"""The topics to read: what is refused in one line, before anything is read."""

from __future__ import annotations

import pytest
from support.command import refused
from support.servers.brokers import Broker

from streams.contract import rekey_group_name
from streams.exceptions import ConfigurationError
from streams.rekey_settings import RekeySource
from streams.rekeying.sources import check_sources
from streams.settings import load_settings


def test_sources_are_named_by_commas_and_may_say_what_they_hold() -> None:
    settings = load_settings(rekey_sources=" web.events, app-clicks=clicks ,")
    assert settings.rekey_topics == [RekeySource("web.events", None), RekeySource("app-clicks", "clicks")]
    check_sources(settings)


@pytest.mark.parametrize(
    ("sources", "found"),
    [("a,b,a=clicks", "'a' twice"), ("a b", "'a b'"), ("=clicks", "'=clicks'"), ("a=scores", "found 'scores'")],
)
def test_what_is_no_list_of_topics_is_refused(sources: str, found: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^WHEREWITHAL_REKEY_SOURCES: expected ") as error:
        load_settings(rekey_sources=sources)
    assert found in str(error.value)


@pytest.mark.parametrize(
    "topic", ["clicks", "erasures", "purchasing-power", "dead-letters", "wherewithal-users-changelog", "mine"]
)
def test_a_topic_of_the_program_itself_is_no_source(topic: str) -> None:
    settings = load_settings(rekey_sources=f"shop,{topic}", topic_reviews="mine")
    with pytest.raises(ConfigurationError, match=f"found '{topic}', which is this program's own"):
        check_sources(settings)


def test_a_source_of_one_input_goes_with_events_of_the_contract_alone() -> None:
    with pytest.raises(ConfigurationError, match="expected no `=clicks` with the format ga4"):
        check_sources(load_settings(rekey_sources="a=clicks", rekey_format="ga4"))


def test_the_group_is_not_that_of_the_workers() -> None:
    assert rekey_group_name(load_settings(topic_prefix="eu-")) == "eu-wherewithal-rekey"
    with pytest.raises(ConfigurationError, match="found 'wherewithal', that of the workers"):
        check_sources(load_settings(rekey_sources="a", rekey_group_id="wherewithal"))


def test_the_command_ends_with_one_line(broker: Broker) -> None:
    settings: dict[str, str | None] = {**broker.environment, "WHEREWITHAL_METRICS_PORT": "0"}
    assert "expected the topics to read" in refused(2, "rekey", **settings)
    assert "WHEREWITHAL_BROKER: expected kafka://" in refused(2, "rekey", "shop")
    assert "twice" in refused(2, "rekey", "shop", "shop", **settings)
    assert "which is this program's own clicks" in refused(2, "rekey", f"{broker.topic_prefix}clicks", **settings)
    assert "WHEREWITHAL_SCHEMA_REGISTRY_URL" in refused(2, "rekey", "s", "--encoding", "confluent", **settings)
