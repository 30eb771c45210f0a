"""What the contract fixes for every deployment: the topics with their names on the broker, and the horizon."""

from __future__ import annotations

from typing import Final

from features.tiles import DAY
from streams.name_settings import group_name, name_of
from streams.settings import Settings

REVIEWS: Final = "reviews"
SEARCHES: Final = "searches"
CLICKS: Final = "clicks"
ERASURES: Final = "erasures"
SCORES: Final = "purchasing-power"
CAPACITY: Final = "purchasing-capacity"
FACTS: Final = "item-facts"
ITEM_SIGNALS: Final = "item-signals"
DEAD_LETTERS: Final = "dead-letters"
INPUTS: Final = (REVIEWS, SEARCHES, CLICKS, ERASURES)
TEXTS: Final = (REVIEWS, SEARCHES)
EVENTS: Final = (REVIEWS, SEARCHES, CLICKS)
TOPICS: Final = (*INPUTS, SCORES, DEAD_LETTERS)
"""The topics of users. `CAPACITY` is of those deployments alone that have capacity estimated."""
ITEM_TOPICS: Final = (FACTS, ITEM_SIGNALS)
"""The topics of items, where items are kept. Facts go from the user stage to the item stage."""

NO_PARTITION: Final = -1
"""The partition named in the dead letter of a line, which never was a record."""

HORIZON: Final = 30 * DAY
"""How far ahead a prediction of spend looks, ms."""


def topic_name(settings: Settings, topic: str) -> str:
    """The name on the broker of a topic of the contract."""
    return name_of(settings, topic)


def published(settings: Settings) -> tuple[str, ...]:
    """The compacted topics of the contract, keyed by user, that the workers of these settings publish to."""
    return (SCORES, CAPACITY) if settings.capacity_artefact else (SCORES,)


def changelog_name(settings: Settings) -> str:
    """The name on the broker of the changelog of the user table."""
    return name_of(settings, "users-changelog")


def items_changelog_name(settings: Settings) -> str:
    """The name on the broker of the changelog of the item table."""
    return name_of(settings, "items-changelog")


def journal_name(settings: Settings) -> str:
    """The name on the broker of the topic in which `redrive` notes which letters have arrived."""
    return name_of(settings, "redriven")


def rekey_group_name(settings: Settings) -> str:
    """The name on the broker of the consumer group of `rekey`."""
    return settings.rekey_group_id or f"{group_name(settings)}-rekey"
