"""Settings of names on the broker, a part of `streams.settings.Settings`."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from streams.exceptions import ConfigurationError

MAX_NAME: Final = 249
"""Characters of a topic's name in Kafka."""

Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]

TOPIC_SETTINGS: Final = {
    "reviews": "topic_reviews",
    "searches": "topic_searches",
    "clicks": "topic_clicks",
    "erasures": "topic_erasures",
    "purchasing-power": "topic_scores",
    "purchasing-capacity": "topic_capacity",
    "dead-letters": "topic_dead_letters",
    "item-signals": "topic_item_signals",
    "item-facts": "topic_item_facts",
    "users-changelog": "topic_changelog",
    "items-changelog": "topic_items_changelog",
    "redriven": "topic_redriven",
}
"""The setting that names a topic exactly, by what the topic is called by default."""

_OF_GROUP: Final = frozenset({"item-facts", "users-changelog", "items-changelog", "redriven"})
"""What only one group and its tools read, and is named after it."""


class NameSettings(BaseSettings):
    """The topics and the group, where a shop names them itself."""

    topic_prefix: str = Field("", description="put before the name of every topic and the consumer group")
    group: str = Field("wherewithal", min_length=1, description="consumer group and name of the Faust app")
    group_id: Name | None = Field(None, description="exact name of the consumer group; default: prefix and `group`")
    items_group_id: Name | None = Field(
        None, description="exact name of the consumer group of the item stage; default: the other's and `-items`"
    )
    topic_reviews: Name | None = Field(None, description="exact name of the topic of reviews; no prefix is added")
    topic_searches: Name | None = Field(None, description="the same of searches")
    topic_clicks: Name | None = Field(None, description="the same of clicks")
    topic_erasures: Name | None = Field(None, description="the same of erasures")
    topic_scores: Name | None = Field(None, description="the same of scores")
    topic_capacity: Name | None = Field(None, description="the same of estimates of purchasing capacity")
    topic_dead_letters: Name | None = Field(None, description="the same of dead letters")
    topic_item_signals: Name | None = Field(None, description="the same of the signals of items")
    topic_item_facts: Name | None = Field(None, description="the same of the facts of items, from stage to stage")
    topic_changelog: Name | None = Field(None, description="the same of the changelog of users' states")
    topic_items_changelog: Name | None = Field(None, description="the same of the changelog of items' states")
    topic_redriven: Name | None = Field(None, description="the same of the journal of `redrive`")

    @field_validator("topic_prefix", "group", "group_id", "items_group_id", *TOPIC_SETTINGS.values())
    @classmethod
    def _legal_name(cls, value: str | None) -> str | None:
        return None if value is None else check_name(value)


def check_name(name: str) -> str:
    """Return a name of a topic or group, empty or not.

    Raises:
        ValueError: Kafka takes no such name.
    """
    if not all(char.isascii() and (char.isalnum() or char in "._-") for char in name):
        raise ValueError("expected only letters, digits, '.', '_' and '-', found another character")
    if name in (".", ".."):
        raise ValueError(f"expected another name than {name}, which Kafka takes for no topic")
    return name


def group_name(settings: NameSettings) -> str:
    """Return the name on the broker of the consumer group."""
    return settings.group_id or settings.topic_prefix + settings.group


def items_group_name(settings: NameSettings) -> str:
    """Return the name on the broker of the consumer group of the item stage."""
    return settings.items_group_id or f"{group_name(settings)}-items"


def name_of(settings: NameSettings, topic: str) -> str:
    """Return the name on the broker of a topic of `TOPIC_SETTINGS`."""
    exact: str | None = getattr(settings, TOPIC_SETTINGS[topic])
    if exact is not None:
        return exact
    return f"{settings.topic_prefix}{settings.group}-{topic}" if topic in _OF_GROUP else settings.topic_prefix + topic


def check_names(settings: NameSettings) -> None:
    """Refuse names that are too long for Kafka, or of which two topics or groups share one.

    Raises:
        ConfigurationError: there is such a name.
    """
    names = {topic: name_of(settings, topic) for topic in TOPIC_SETTINGS}
    longest = max(names, key=lambda topic: len(names[topic]))
    if (size := len(names[longest])) > MAX_NAME:
        # An exact name is no longer than that by itself.
        part = "group" if len(settings.group) > len(settings.topic_prefix) else "topic_prefix"
        raise ConfigurationError(
            f"WHEREWITHAL_{part.upper()}: expected names of topics of at most {MAX_NAME} characters, found {size} for "
            f"{longest}: choose a shorter {part.rpartition('_')[2]}, or name the topic by "
            f"WHEREWITHAL_{TOPIC_SETTINGS[longest].upper()}"
        )
    if items_group_name(settings) == group_name(settings):
        raise ConfigurationError(
            f"WHEREWITHAL_ITEMS_GROUP_ID: expected a group of its own for the stage of items, found that of users, "
            f"{group_name(settings)!r}; name another, or unset it"
        )
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        topics = [topic for topic, name in names.items() if name == twice[0]]
        variable = next(
            TOPIC_SETTINGS[topic] for topic in topics if getattr(settings, TOPIC_SETTINGS[topic]) is not None
        )
        raise ConfigurationError(
            f"WHEREWITHAL_{variable.upper()}: expected a topic of its own for each of {' and '.join(topics)}, found "
            f"{twice[0]!r} for all of them"
        )


def names_of_its_own(prefix: str) -> dict[str, str | None]:
    """Return the settings of a run whose topics are nobody else's: all names follow from a prefix."""
    return {"topic_prefix": prefix, "group_id": None, "items_group_id": None, **dict.fromkeys(TOPIC_SETTINGS.values())}
