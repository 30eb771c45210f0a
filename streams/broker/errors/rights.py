"""The rights that a worker needs of the broker, in the terms of its access control lists."""

from __future__ import annotations

from typing import Final

from streams.broker.errors.explaining import READ, WRITE
from streams.contract import DEAD_LETTERS, INPUTS, SCORES, changelog_name, topic_name
from streams.settings import Settings

_BOTH: Final = f"{READ} and {WRITE}"


def worker_rights(settings: Settings) -> dict[str, str]:
    """Return the rights that a worker needs of each topic, by the topic's name on the broker."""
    return {
        **{topic_name(settings, topic): READ for topic in INPUTS},
        topic_name(settings, DEAD_LETTERS): WRITE,
        topic_name(settings, SCORES): _BOTH,
        changelog_name(settings): _BOTH,
    }
