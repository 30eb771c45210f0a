"""The topics that a deployment needs, with a reason for each setting, and how those that are there differ from that."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from streams.broker.tools import tool_line
from streams.broker.topics.admin import Made
from streams.broker.topics.survey import Survey
from streams.broker.topics.topic_settings import INSYNC, Complaint, complaints, wanted
from streams.contract import (
    CAPACITY,
    CLICKS,
    DEAD_LETTERS,
    ERASURES,
    FACTS,
    INPUTS,
    ITEM_SIGNALS,
    ITEM_TOPICS,
    REVIEWS,
    SCORES,
    SEARCHES,
    changelog_name,
    items_changelog_name,
    journal_name,
    published,
    topic_name,
)
from streams.settings import Settings

JOURNAL_SETTINGS: Final = {"cleanup.policy": "compact"}
"""The settings of the journal of `redrive`, which has one partition."""

_HOLDS: Final = {
    REVIEWS: "what shoppers write, keyed by user",
    SEARCHES: "what shoppers search for, keyed by user",
    CLICKS: "views, favourites, carts, purchases and removes, keyed by user",
    ERASURES: "requests to forget a user, keyed by user",
    SCORES: "the newest score of each user, for those who use it",
    CAPACITY: "the newest estimate of each user's capacity, for those who use it",
    FACTS: "what applied events say of items, from the stage of users to that of items; nobody else reads it",
    ITEM_SIGNALS: "the newest signals of each item, for those who use them",
    DEAD_LETTERS: "records that were refused, whole, with the reason",
}
_HOLDS_ITEMS: Final = "the state of each item, from which a worker recovers; nobody else reads it"
_HOLDS_STATES: Final = "the state of each user, from which a worker recovers; nobody else reads it"
_HOLDS_JOURNAL: Final = "which dead letters were sent back; redrive alone uses it, and makes it"

_REPLICAS: Final = "WHEREWITHAL_REPLICATION asks for as many; kafka-reassign-partitions.sh adds some"

_OF_INPUTS: Final = {
    "message.timestamp.type": "the broker's clock, not a producer's, decides what is from the future and how long a "
    "record is retained",
    "max.message.bytes": "a record too large to be decoded arrives all the same, and goes to the dead letters",
    "segment.ms": "retention does not touch the segment that is written to: a record outlives it by up to 24 h",
}
_OF_LETTERS: Final = _OF_INPUTS | {"max.message.bytes": "a dead letter holds a whole record of the inputs, and headers"}
_OF_COMPACTED: Final = {
    "cleanup.policy": "the newest record of each user, or item, stays for good",
    "min.compaction.lag.ms": "a worker that lost its partitions may have written last; its successor has 24 h to write "
    "after it",
    "max.compaction.lag.ms": "bounds how long older records of an erased user stay: 48 h",
    INSYNC: "what is acknowledged lies on two disks",
    "max.message.bytes": "room for a batch of records of any size",
    "segment.ms": "compaction does not touch the segment that is written to: erased records outlive it by up to 24 h",
}
_OF_FACTS: Final = _OF_INPUTS | {
    "max.message.bytes": "room for a batch of facts of any size",
    "retention.ms": "WHEREWITHAL_FACTS_RETENTION_H: an item stage that was away for longer has lost what was deleted",
    INSYNC: "what is acknowledged lies on two disks",
}
_OF_JOURNAL: Final = {"cleanup.policy": "an entry that is deleted lets redrive send its letter again"}


class Planned(NamedTuple):
    """A topic that a deployment needs.

    Attributes:
        name: on the broker.
        holds: what lies in it, in words.
        configs: its settings, by name.
        reasons: why, by the same names.
        of_worker: whether a worker needs it, and so with the number of partitions that a worker's topics share. The
            journal, which `redrive` needs and makes, has one.
    """

    name: str
    holds: str
    configs: Mapping[str, str]
    reasons: Mapping[str, str]
    of_worker: bool = True

    def made(self, partitions: int, replication: int) -> Made:
        """Return the topic as it is to be made, where a worker's topics have this many partitions."""
        return Made(self.name, partitions if self.of_worker else 1, replication, self.configs)


class Level(StrEnum):
    """What a difference means for a worker."""

    REFUSED = "refused"
    WARNING = "a warning"
    CHOICE = "may be so"


class Difference(NamedTuple):
    """A setting of an existing topic that is not as it would be made.

    Attributes:
        level: whether a worker refuses it, warns of it, or says nothing.
        topic: its name on the broker.
        setting: `NAME=VALUE` as it would be made; of replicas, their number in words.
        found: the value found.
        why: the consequence of what is found, or the reason of what would be made.
    """

    level: Level
    topic: str
    setting: str
    found: str
    why: str

    def command(self, servers: str) -> str | None:
        """Return the command of Kafka's own tools that mends it; None for replicas, whose nodes somebody has to name.

        Args:
            servers: of the broker, `host:port[,host:port...]`.
        """
        if "=" not in self.setting:
            return None
        words = ["--alter", "--entity-type", "topics", "--entity-name", self.topic, "--add-config", self.setting]
        return tool_line("kafka-configs.sh", servers, *words)


def planned(settings: Settings) -> list[Planned]:
    """Return every topic that the commands of a deployment use."""
    configs = wanted(settings)
    reasons = dict.fromkeys(INPUTS, _OF_INPUTS) | {DEAD_LETTERS: _OF_LETTERS, FACTS: _OF_FACTS}
    items = ITEM_TOPICS if settings.items else ()
    plans = []
    for topic in (*INPUTS, *published(settings), *items, DEAD_LETTERS):
        name = topic_name(settings, topic)
        plans.append(Planned(name, _HOLDS[topic], configs[name], reasons.get(topic, _OF_COMPACTED)))
    changelogs = {changelog_name(settings): _HOLDS_STATES}
    if settings.items:
        changelogs[items_changelog_name(settings)] = _HOLDS_ITEMS
    plans += [Planned(name, holds, configs[name], _OF_COMPACTED) for name, holds in changelogs.items()]
    journal = journal_name(settings)
    return [*plans, Planned(journal, _HOLDS_JOURNAL, JOURNAL_SETTINGS, _OF_JOURNAL, of_worker=False)]


def differences(settings: Settings, found: Survey) -> list[Difference]:
    """Compare existing topics with what would be made, as far as the broker tells their settings: the worst first."""
    wrong = [_judged(fault) for fault in complaints(settings, found.configs, found.replicas, found.nodes)]
    complained = {(fault.topic, fault.setting.partition("=")[0]) for fault in wrong}
    for plan in planned(settings):
        configs = found.configs.get(plan.name, {})
        replicas = found.replicas.get(plan.name, settings.replication)
        fewer = replicas < settings.replication
        for setting, value in plan.configs.items():
            other = configs.get(setting, value)
            # With fewer replicas the topic would take no record while one of their nodes is away.
            harmful = fewer and setting == INSYNC
            if other != value and (plan.name, setting) not in complained and not harmful:
                level = Level.CHOICE if plan.of_worker else Level.WARNING
                wrong.append(Difference(level, plan.name, f"{setting}={value}", other, plan.reasons[setting]))
        wished = f"{settings.replication} replicas"
        if fewer and (plan.name, wished) not in complained:
            wrong.append(Difference(Level.CHOICE, plan.name, wished, str(replicas), _REPLICAS))
    return sorted(wrong, key=lambda fault: list(Level).index(fault.level))


def create_command(topic: Made, servers: str) -> str:
    """Return the command of Kafka's own tools that makes a topic, and does nothing if it is there.

    Args:
        topic: to be made.
        servers: of the broker, `host:port[,host:port...]`.
    """
    words = ["--create", "--if-not-exists", "--topic", topic.name, "--partitions", str(topic.partitions)]
    if topic.replication > 0:
        words += ["--replication-factor", str(topic.replication)]
    configs = [word for name, value in topic.configs.items() for word in ("--config", f"{name}={value}")]
    return tool_line("kafka-topics.sh", servers, *words, *configs)


def _judged(fault: Complaint) -> Difference:
    level = Level.REFUSED if fault.fatal else Level.WARNING
    return Difference(level, fault.topic, fault.setting, fault.found, fault.why)
