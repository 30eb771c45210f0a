"""The settings of topics: those that new topics get, and those that existing topics must have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from streams.broker.connection import HEADROOM_BYTES
from streams.broker.publisher import BATCH_BYTES
from streams.contract import (
    DEAD_LETTERS,
    FACTS,
    INPUTS,
    ITEM_SIGNALS,
    changelog_name,
    items_changelog_name,
    published,
    topic_name,
)
from streams.settings import MAX_TOPIC_BYTES, Settings

HOUR_MS: Final = 3_600_000

MIN_COMPACTION_LAG_MS: Final = 24 * HOUR_MS
"""Compaction must not leave only a zombie's record of a key. The newer owner needs this long to write a record after
it."""

MAX_COMPACTION_LAG_MS: Final = 48 * HOUR_MS
"""After this time an older record of a key is compacted away, even if few others came. Without a bound the broker waits
until half of the log is outdated, and the states of erased users stay as long."""

SEGMENT_MS: Final = 24 * HOUR_MS
"""Neither retention nor compaction touches the segment that is written to. With the broker's default of 7 days a record
would outlive its retention by 7 days."""

SHORT_RETENTION_MS: Final = 24 * HOUR_MS
"""The least retention of the input: a worker may have to catch up after a night without one."""

INSYNC: Final = "min.insync.replicas"
"""The replicas without which a topic takes no record, since every record waits for all that are in sync."""

RETENTION: Final = "retention.ms"

_POLICY: Final = "cleanup.policy"
_FOREVER: Final = -1
_NODES_THAT_CAN_REPLICATE: Final = 3

Configs = Mapping[str, str]


class Complaint(NamedTuple):
    """A setting of an existing topic that is not as it should be.

    Attributes:
        topic: its name on the broker.
        setting: `NAME=VALUE` as expected.
        found: the value found.
        why: the consequence.
        fatal: whether committed events are lost, so that no worker may start.
    """

    topic: str
    setting: str
    found: str
    why: str
    fatal: bool = False

    def line(self) -> str:
        """Return the fault as one line that says what to do."""
        return (
            f"the topic {self.topic!r}: expected {self.setting}, found {self.found}: {self.why}; set it with "
            f"kafka-configs.sh --alter --entity-type topics --entity-name {self.topic} --add-config {self.setting}"
        )


def wanted(settings: Settings) -> dict[str, dict[str, str]]:
    """Return the settings of topics that this program makes, by name on the broker."""
    plain = {"max.message.bytes": str(MAX_TOPIC_BYTES + HEADROOM_BYTES), "segment.ms": str(SEGMENT_MS)}
    # With the broker's clock, no producer's clock decides which events are `future`, or the retention of a record.
    inputs = plain | {"message.timestamp.type": "LogAppendTime"}
    # A dead letter holds a whole rejected record of any size, and headers.
    letters = plain | {"max.message.bytes": str(MAX_TOPIC_BYTES + 2 * HEADROOM_BYTES)}
    configs = {topic_name(settings, topic): inputs for topic in INPUTS}
    configs[topic_name(settings, DEAD_LETTERS)] = letters
    replicated = {INSYNC: "2"} if settings.replication >= _NODES_THAT_CAN_REPLICATE else {}
    compacted = plain | {
        _POLICY: "compact",
        "min.compaction.lag.ms": str(MIN_COMPACTION_LAG_MS),
        "max.compaction.lag.ms": str(MAX_COMPACTION_LAG_MS),
    }
    compacted |= replicated
    if settings.items:
        facts = inputs | {RETENTION: str(int(settings.facts_retention_h * HOUR_MS))}
        # States of users that hold the events of facts know nothing of the facts, so lost ones never come again.
        configs[topic_name(settings, FACTS)] = facts | replicated
    return configs | dict.fromkeys(_compacted(settings), compacted)


def wanted_by_users(settings: Settings) -> dict[str, dict[str, str]]:
    """Return the settings of those topics that the stage of users reads or writes, by name on the broker."""
    others = {topic_name(settings, ITEM_SIGNALS), items_changelog_name(settings)}
    return {name: configs for name, configs in wanted(settings).items() if name not in others}


def wanted_by_items(settings: Settings) -> dict[str, dict[str, str]]:
    """Return the settings of those topics that the stage of items reads or writes, by name on the broker."""
    names = {topic_name(settings, topic) for topic in (FACTS, ITEM_SIGNALS, DEAD_LETTERS)}
    names.add(items_changelog_name(settings))
    return {name: configs for name, configs in wanted(settings).items() if name in names}


def wanted_by_worker(settings: Settings) -> dict[str, dict[str, str]]:
    """Return the settings of the topics of those stages that a worker runs, by name on the broker."""
    of_users = wanted_by_users(settings) if settings.runs_users else {}
    return of_users | (wanted_by_items(settings) if settings.runs_items else {})


def complaints(
    settings: Settings, found: Mapping[str, Configs], replicas: Mapping[str, int], nodes: int
) -> list[Complaint]:
    """Check existing topics. A setting that the broker does not tell counts as right.

    Args:
        settings: of the cluster.
        found: settings by topic, as far as the broker tells them.
        replicas: the least number of replicas of a partition, by topic.
        nodes: number of nodes of the cluster.

    Returns:
        The faults, fatal ones first.
    """
    wrong: list[Complaint] = []
    for name in _compacted(settings):
        configs = found.get(name, {})
        wrong += _of_compacted(name, configs)
        if nodes >= _NODES_THAT_CAN_REPLICATE:
            wrong += _of_replicas(name, configs, replicas.get(name, 0))
    largest = 0
    for topic in INPUTS:
        configs = found.get(topic_name(settings, topic), {})
        wrong += _of_retained(topic_name(settings, topic), configs, "events")
        largest = max(largest, _number(configs, "max.message.bytes", 0))
    if settings.items:
        facts = topic_name(settings, FACTS)
        wrong += _of_retained(facts, found.get(facts, {}), "facts of items")
        wrong += _of_room(facts, found.get(facts, {}))
        if nodes >= _NODES_THAT_CAN_REPLICATE:
            wrong += _of_replicas(facts, found.get(facts, {}), replicas.get(facts, 0))
    letters = topic_name(settings, DEAD_LETTERS)
    wrong += _of_retained(letters, found.get(letters, {}), "dead letters")
    room = _number(found.get(letters, {}), "max.message.bytes", largest)
    if room < largest:
        wrong.append(
            Complaint(letters, f"max.message.bytes={largest + HEADROOM_BYTES}", str(room), _CUT_LETTERS),
        )
    return sorted(wrong, key=lambda complaint: not complaint.fatal)


_CUT_LETTERS: Final = "an input topic takes larger records, whose dead letters are cut"


def _of_compacted(name: str, configs: Configs) -> Iterator[Complaint]:
    policy = _policy(configs, {"compact"})
    kept_for_good = [_number(configs, setting, _FOREVER) == _FOREVER for setting in (RETENTION, "retention.bytes")]
    if "compact" not in policy or ("delete" in policy and not all(kept_for_good)):
        why = "the newest records of keys are deleted with time, and what was bought is forgotten"
        yield Complaint(name, f"{_POLICY}=compact", configs[_POLICY], why, fatal=True)
    yield from _of_room(name, configs)
    lag = _number(configs, "min.compaction.lag.ms", MIN_COMPACTION_LAG_MS)
    if lag < MIN_COMPACTION_LAG_MS:
        why = "compaction may leave of a key only what a worker wrote that had lost its partitions"
        yield Complaint(name, f"min.compaction.lag.ms={MIN_COMPACTION_LAG_MS}", str(lag), why)
    longest = _number(configs, "max.compaction.lag.ms", MAX_COMPACTION_LAG_MS)
    if longest > MAX_COMPACTION_LAG_MS:
        why = "nothing bounds how long older records of an erased user stay"
        yield Complaint(name, f"max.compaction.lag.ms={MAX_COMPACTION_LAG_MS}", str(longest), why)


def _of_room(name: str, configs: Configs) -> Iterator[Complaint]:
    room = _number(configs, "max.message.bytes", BATCH_BYTES)
    if room < BATCH_BYTES:
        why = "a batch of records that is larger ends the worker"
        yield Complaint(name, f"max.message.bytes={BATCH_BYTES}", str(room), why, fatal=True)


def _of_retained(name: str, configs: Configs, holds: str) -> Iterator[Complaint]:
    if "compact" in _policy(configs, {"delete"}):
        why = f"of each key only the last of the {holds} is kept, and a record without a key is refused"
        yield Complaint(name, f"{_POLICY}=delete", configs[_POLICY], why, fatal=True)
    retention = _number(configs, RETENTION, _FOREVER)
    if _FOREVER < retention < SHORT_RETENTION_MS:
        why = f"{holds} are deleted before workers that were away for long have read them"
        yield Complaint(name, f"{RETENTION}={SHORT_RETENTION_MS}", str(retention), why)


def _of_replicas(name: str, configs: Configs, replicas: int) -> Iterator[Complaint]:
    if replicas == 1:
        why = "the state is lost with one disk; kafka-reassign-partitions.sh adds replicas"
        yield Complaint(name, "3 replicas", "1", why)
    elif _number(configs, INSYNC, 2) == 1:
        why = "what one node alone has acknowledged is lost with its disk"
        yield Complaint(name, f"{INSYNC}=2", "1", why)


def _compacted(settings: Settings) -> list[str]:
    names = [*(topic_name(settings, topic) for topic in published(settings)), changelog_name(settings)]
    if settings.items:
        names += [topic_name(settings, ITEM_SIGNALS), items_changelog_name(settings)]
    return names


def _policy(configs: Configs, default: set[str]) -> set[str]:
    found = {word.strip() for word in configs.get(_POLICY, "").split(",")} - {""}
    return found or default


def _number(configs: Configs, setting: str, default: int) -> int:
    value = configs.get(setting, "")
    return int(value) if value.removeprefix("-").isdecimal() else default
