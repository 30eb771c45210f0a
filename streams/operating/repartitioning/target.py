"""The names behind which the copy goes, and that none of them is one of the source's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streams.exceptions import ConfigurationError
from streams.name_settings import TOPIC_SETTINGS, group_name, name_of, names_of_its_own
from streams.settings import Settings, load_settings

GROUP: Final = "group"
"""What names the consumer group among the names of topics."""

NAMED: Final = (*TOPIC_SETTINGS, GROUP)
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
    fields |= {_field(what): name for what, name in names.items()}
    try:
        target = load_settings(**(settings.model_dump(exclude_none=True) | fields))
    except ConfigurationError as error:
        raise ConfigurationError(f"of the names of the copy, {error}") from error
    _check_apart(settings, target)
    return target


def _field(what: str) -> str:
    return "group_id" if what == GROUP else TOPIC_SETTINGS[what]


def _check_apart(settings: Settings, target: Settings) -> None:
    taken = {name_of(settings, topic) for topic in TOPIC_SETTINGS}
    for topic in TOPIC_SETTINGS:
        if name_of(target, topic) in taken:
            raise ConfigurationError(
                f"--to-prefix: expected names that the present topics do not have, found {name_of(target, topic)!r} "
                f"for {topic}: choose another prefix, or name it with --to-name {topic}=NAME"
            )
    if group_name(target) == group_name(settings):
        raise ConfigurationError(
            f"--to-prefix: expected another group than the present one, found {group_name(target)!r}: choose another "
            f"prefix, or name it with --to-name {GROUP}=NAME"
        )
