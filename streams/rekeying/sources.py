"""The topics of the shop that are re-keyed: which can be, and whether they are there."""

from __future__ import annotations

from typing import Final

from streams.broker.topics.admin import Admin
from streams.contract import rekey_group_name
from streams.exceptions import BrokerError, ConfigurationError
from streams.name_settings import TOPIC_SETTINGS, group_name, name_of
from streams.settings import Settings

_WITH_INPUT: Final = ("auto", "own")
"""Formats with which a source may be said to hold the events of one input."""


def check_sources(settings: Settings) -> None:
    """Refuse sources that cannot be read.

    Raises:
        ConfigurationError: there is none, one is a topic of the program itself, the groups are one, or what a source
            is said to hold does not go with the format.
    """
    if not settings.rekey_topics:
        raise ConfigurationError(
            "WHEREWITHAL_REKEY_SOURCES: expected the topics to read, by commas, found none: set it, or name them as "
            "arguments"
        )
    ours = {name_of(settings, topic): topic for topic in TOPIC_SETTINGS}
    for source in settings.rekey_topics:
        if source.topic in ours:
            raise ConfigurationError(
                f"WHEREWITHAL_REKEY_SOURCES: expected a topic of the shop, found {source.topic!r}, which is this "
                f"program's own {ours[source.topic]}: records would be read that it writes; name another topic, or set "
                "WHEREWITHAL_TOPIC_PREFIX"
            )
        if source.holds is not None and settings.rekey_format not in _WITH_INPUT:
            raise ConfigurationError(
                f"WHEREWITHAL_REKEY_SOURCES: expected no `={source.holds}` with the format {settings.rekey_format}, "
                "whose events tell what they are: leave it out, or set WHEREWITHAL_REKEY_FORMAT=own (auto, if other "
                "sources are of that format)"
            )
    if rekey_group_name(settings) == group_name(settings):
        raise ConfigurationError(
            f"WHEREWITHAL_REKEY_GROUP_ID: expected a group of its own, found {group_name(settings)!r}, that of the "
            "workers: name another one"
        )


async def count_sources(settings: Settings) -> dict[str, int]:
    """Return the number of partitions of each source.

    Raises:
        BrokerError: a source does not exist, or the broker cannot be used.
    """
    names = [source.topic for source in settings.rekey_topics]
    async with Admin(settings) as admin:
        found = {name: topic.partitions for name, topic in (await admin.topics(names)).items()}
    for name in names:
        if name not in found:
            raise BrokerError(
                f"WHEREWITHAL_REKEY_SOURCES: expected a topic {name!r} to read, found none on the broker: check the "
                "name, and that this login may describe it"
            )
    return found
