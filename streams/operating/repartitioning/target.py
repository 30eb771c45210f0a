"""The names behind which the copy goes, and that none of them is one of the source's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streams.exceptions import ConfigurationError
from streams.name_settings import TOPIC_SETTINGS, group_name, items_group_name, name_of, names_of_its_own
from streams.settings import Settings, load_settings

GROUP: Final = "group"
ITEMS_GROUP: Final = "items-group"
"""What names a consumer group among the names of topics."""

_GROUP_SETTINGS: Final = {GROUP: "group_id", ITEMS_GROUP: "items_group_id"}

NAMED: Final = (*TOPIC_SETTINGS, *_GROUP_SETTINGS)
"""What can be given a name of its own."""


def settings_behind(settings: Settings, prefix: str, names: Mapping[str, str], partitions: int) -> Settings:
    """Return the settings of the copy: those of the source, with other names and another number of partitions.

    Names that the source has by settings of their own are not carried on: they are taken.

    Args:
        settings: of the source.
        prefix: goes before the default names.
        names: exact names, by what of `NAMED` they name.
        partitions: of every topic of the copy.

    Raises:
        ConfigurationError: a name that Kafka does not take or that the source has, or that two topics would share.
    """
    fields: dict[str, object] = {**names_of_its_own(prefix), "partitions": partitions}
    fields |= {(TOPIC_SETTINGS | _GROUP_SETTINGS)[what]: name for what, name in names.items()}
    try:
        target = load_settings(**(settings.model_dump(exclude_none=True) | fields))
    except ConfigurationError as error:
        raise ConfigurationError(f"of the names of the copy, {error}") from error
    _check_apart(settings, target)
    return target


def _check_apart(settings: Settings, target: Settings) -> None:
    taken = {name_of(settings, topic) for topic in TOPIC_SETTINGS}
    for topic in TOPIC_SETTINGS:
        if name_of(target, topic) in taken:
            raise ConfigurationError(
                f"--to-prefix: expected names that the present topics do not have, found {name_of(target, topic)!r} "
                f"for {topic}: choose another prefix, or name it with --to-name {topic}=NAME"
            )
    for what, name_of_group in ((GROUP, group_name), (ITEMS_GROUP, items_group_name)):
        if (name := name_of_group(target)) in (group_name(settings), items_group_name(settings)):
            raise ConfigurationError(
                f"--to-prefix: expected another group than the present one, found {name!r}: choose another prefix, or "
                f"name it with --to-name {what}=NAME"
            )
