"""Making missing topics and checking existing ones, before state is bound to them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from streams.broker.topics.admin import Admin, Made
from streams.broker.topics.counts import common_count
from streams.broker.topics.topic_settings import complaints, wanted, wanted_by_worker
from streams.contract import DEAD_LETTERS, INPUTS, changelog_name, items_changelog_name, topic_name
from streams.exceptions import StateMismatchError
from streams.log import log
from streams.records.placement import added_partitions
from streams.settings import Settings


class Cluster(msgspec.Struct, frozen=True):
    """The cluster that state is bound to: its id, and the number of partitions of every topic."""

    identity: str
    partitions: int


async def make_topics(settings: Settings) -> Cluster:
    """Make the topics that are missing, and check that all are co-partitioned.

    Returns:
        The cluster, with the number of partitions found, which may differ from the settings if others made the topics.

    Raises:
        BrokerError: the broker cannot be reached, refuses to make a topic, or the topics have unequal numbers of
            partitions.
        StateMismatchError: the topics have more partitions than the changelog.
    """
    async with Admin(settings) as admin:
        return await _make(settings, admin, wanted_by_worker(settings))


async def make_sent_topics(settings: Settings) -> Cluster:
    """Make those topics that are missing of those that events are sent to, as `make_topics` does.

    A login needs rights on those alone that it sends to: topics that it may not see are left out.

    Raises:
        BrokerError: as `make_topics`; or the login may see none of the topics.
    """
    names = {topic_name(settings, topic) for topic in (*INPUTS, DEAD_LETTERS)}
    async with Admin(settings) as admin:
        seen = await admin.seen(names)
        # Without any, the broker's refusal of them all is the answer.
        configs = {name: config for name, config in wanted(settings).items() if name in (seen or names)}
        return await _make(settings, admin, configs)


async def _make(settings: Settings, admin: Admin, configs: Mapping[str, Mapping[str, str]]) -> Cluster:
    known = {name: topic.partitions for name, topic in (await admin.topics(configs)).items()}
    # Existing topics decide the number: a missing one (deleted, or of a new group) is made like them.
    partitions = co_partitioned(settings, known) if known else settings.partitions
    await admin.create(
        [Made(name, partitions, settings.replication, configs[name]) for name in configs if name not in known]
    )
    topics = await admin.led(configs)
    identity, _ = await admin.cluster()
    # Another worker may have made them first, with other settings.
    return Cluster(identity, co_partitioned(settings, {name: topic.partitions for name, topic in topics.items()}))


async def check_topics(settings: Settings) -> None:
    """Check the settings of the topics, which others may have made or changed; warn of those that may cost data.

    Raises:
        BrokerError: the broker cannot be reached.
        StateMismatchError: with the settings found, committed events are lost.
    """
    names = list(wanted_by_worker(settings))
    async with Admin(settings) as admin:
        found = await admin.configs(names)
        replicas = {name: topic.replicas for name, topic in (await admin.topics(names)).items()}
        _, nodes = await admin.cluster()
    if unknown := sorted(set(names) - found.keys()):
        log.warning("the broker does not tell the settings of topics, they are not checked", topics=unknown)
    for complaint in complaints(settings, found, replicas, nodes):
        if complaint.fatal:
            raise StateMismatchError(complaint.line())
        log.warning(complaint.why, topic=complaint.topic, expected=complaint.setting, found=complaint.found)


def co_partitioned(settings: Settings, counts: Mapping[str, int]) -> int:
    """Return the number of partitions that all topics of a mapping share.

    Raises:
        BrokerError: they differ.
        StateMismatchError: some have more partitions than a changelog, which holds the state.
    """
    for changelog in (changelog_name(settings), items_changelog_name(settings)):
        known = counts.get(changelog, 0)
        if known and any(count > known for count in counts.values()):
            grown = {name: count for name, count in counts.items() if count != known}
            raise added_partitions(grown, known, f"the changelog {changelog!r}")
    return common_count(counts)
