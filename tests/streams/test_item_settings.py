"""Which stages a worker runs, and which topics, groups and rights these need."""

from __future__ import annotations

import pytest

from streams.broker.rights import Resource, rights_of
from streams.broker.topics.topic_settings import wanted, wanted_by_worker
from streams.contract import CLICKS, DEAD_LETTERS, FACTS, ITEM_SIGNALS, changelog_name, items_changelog_name, topic_name
from streams.exceptions import ConfigurationError
from streams.item_settings import Stages
from streams.settings import load_settings
from streams.worker.stage_spec import ITEMS, USERS, specs_of


def test_the_stage_of_items_has_a_group_and_a_folder_of_its_own_and_the_same_online_store() -> None:
    settings = load_settings(items=True, topic_prefix="eu-", group="w")
    own = ITEMS.own_settings(settings)
    assert own.group_id == "eu-w-items"
    assert own.state_dir == settings.state_dir / "items"
    assert own.online_url == settings.online_url
    assert ITEMS.changelog(own) == items_changelog_name(settings) == "eu-w-items-changelog"
    assert ITEMS.own_settings(own).group_id == own.group_id, "it can be asked of either"
    assert USERS.own_settings(settings) is settings


@pytest.mark.parametrize(
    ("stages", "expected"), [(Stages.BOTH, [USERS, ITEMS]), (Stages.USERS, [USERS]), (Stages.ITEMS, [ITEMS])]
)
def test_a_worker_makes_and_may_use_only_what_its_stages_need(stages: Stages, expected: list[object]) -> None:
    settings = load_settings(items=True, stages=stages)
    assert specs_of(settings) == expected
    made = wanted_by_worker(settings).keys()
    rights = {right.name for right in rights_of("worker", settings) if right.resource is Resource.TOPIC}
    assert made == rights
    facts, letters = topic_name(settings, FACTS), topic_name(settings, DEAD_LETTERS)
    assert {facts, letters} <= made, "both stages need them"
    runs_users, runs_items = USERS in expected, ITEMS in expected
    assert (topic_name(settings, CLICKS) in made, changelog_name(settings) in made) == (runs_users, runs_users)
    for name in (topic_name(settings, ITEM_SIGNALS), items_changelog_name(settings)):
        assert (name in made) == runs_items
    groups = [right.name for right in rights_of("worker", settings) if right.resource is Resource.GROUP]
    assert groups == [name for name, runs in (("wherewithal", runs_users), ("wherewithal-items", runs_items)) if runs]


def test_facts_are_kept_for_their_retention_and_never_on_one_disk_alone() -> None:
    settings = load_settings(items=True, replication=3, facts_retention_h=12)
    facts = wanted(settings)[topic_name(settings, FACTS)]
    assert facts["retention.ms"] == str(12 * 3_600_000)
    assert facts["min.insync.replicas"] == "2"


def test_without_items_nothing_of_them_is_made() -> None:
    settings = load_settings(items=False)
    assert specs_of(settings) == [USERS]
    assert not [name for name in wanted(settings) if "item" in name]


def test_a_stage_that_is_switched_off_cannot_be_the_only_one() -> None:
    with pytest.raises(ConfigurationError, match=r"^WHEREWITHAL_STAGES: expected both or users .* found items"):
        load_settings(items=False, stages=Stages.ITEMS)


def test_both_stages_in_one_group_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^WHEREWITHAL_ITEMS_GROUP_ID: expected a group of its own"):
        load_settings(group_id="one", items_group_id="one")
