"""The latest date until which a broker keeps the records that an erasure leaves in topics, by each topic's settings.

Retention deletes a segment once its newest record is older than `retention.ms`, and a segment takes records for
`segment.ms` at most. Compaction never touches the segment that is written to. The first record that comes after the
shorter of `segment.ms` and `max.compaction.lag.ms` closes that segment. In a partition that takes no more records the
segment is never closed, and its records stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from streams.records.events import LATEST_MS

RETENTION: Final = "retention.ms"
COMPACTION: Final = "max.compaction.lag.ms"
TOMBSTONES: Final = "delete.retention.ms"

_POLICY: Final = "cleanup.policy"
_SEGMENT: Final = "segment.ms"
_COMPACTION_FROM: Final = "min.compaction.lag.ms"

_UNSET: Final = 2**63 - 1
"""Kafka's value for a lag without a bound."""

BROKER_MS: Final = 3600 * 1000
"""The time that a broker may take to delete, ms. By default it looks every five minutes, and deletes a minute later."""


class Lifetime(NamedTuple):
    """The time for which a record stays.

    Attributes:
        until: the time in words.
        latest: the latest date at which the record is gone, epoch ms; None if there is no date or it is unknown.
        if_record_after: the date holds only if the partition takes a record after this instant (epoch ms) and before
            the date; None for no condition.
    """

    until: str
    latest: int | None = None
    if_record_after: int | None = None


FOR_GOOD: Final = Lifetime("kept for good")


def of_records(config: Mapping[str, str], now: int) -> Lifetime:
    """Return the time for which a topic keeps every record that it holds now.

    Args:
        config: the topic's settings, as far as the broker tells them.
        now: epoch ms.
    """
    policy = config.get(_POLICY, "delete")
    if "delete" not in policy:
        return Lifetime(f"no latest date: {_POLICY} is {policy}, which keeps the newest record of a key")
    if config.get(RETENTION) == "-1":
        return Lifetime(f"no latest date: {RETENTION} has no limit")
    found = _numbers(config, RETENTION, _SEGMENT)
    if isinstance(found, Lifetime):
        return found
    # A setting may be any number of 63 bits, so the sum may lie beyond every date.
    latest = now + sum(found.values()) + BROKER_MS
    if latest > LATEST_MS:
        return _never(found)
    return Lifetime(f"gone by {_date(latest)} at the latest ({_told(found)})", latest)


def of_replaced(config: Mapping[str, str], now: int) -> Lifetime:
    """Return the time for which a topic keeps those records that have a newer record of the same key now.

    Args:
        config: the topic's settings, as far as the broker tells them.
        now: epoch ms.
    """
    policy = config.get(_POLICY, "compact")
    if "compact" not in policy:
        return of_records(config, now)
    found = _numbers(config, COMPACTION, _COMPACTION_FROM, _SEGMENT)
    if isinstance(found, Lifetime):
        return found
    if found[COMPACTION] >= _UNSET:
        return Lifetime(f"no latest date: {COMPACTION} is not set, so that nothing bounds when compaction comes")
    closed = min(found[COMPACTION], found[_SEGMENT])
    latest = now + max(found[COMPACTION], closed + found[_COMPACTION_FROM]) + BROKER_MS
    if latest > LATEST_MS:
        return _never(found)
    until = (
        f"gone by {_date(latest)} at the latest, if the partition takes a record after {_date(now + closed)} "
        f"({_told(found)})"
    )
    return Lifetime(until, latest, now + closed)


def of_tombstone(config: Mapping[str, str]) -> Lifetime:
    """Return the time for which a compacted topic keeps a tombstone."""
    value = config.get(TOMBSTONES)
    after = f"{TOMBSTONES} {_days(value)} is over" if _is_number(value) else f"{TOMBSTONES} is over, which is unknown"
    return Lifetime(f"no latest date: it goes with the first compaction after {after}")


def _numbers(config: Mapping[str, str], *names: str) -> dict[str, int] | Lifetime:
    """Return these settings as numbers, or a lifetime that says which one the broker does not tell."""
    for name in names:
        if not _is_number(config.get(name)):
            return Lifetime(f"latest date unknown: the broker does not tell {name}; ask it")
    return {name: int(config[name]) for name in names}


def _is_number(value: str | None) -> bool:
    return value is not None and value.isascii() and value.isdecimal()


def _told(settings: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {_days(value)}" for name, value in settings.items())


def _days(value: int | str | None) -> str:
    return f"{value} ({int(value or 0) / 86_400_000:.3g} days)"


def _never(settings: Mapping[str, int]) -> Lifetime:
    return Lifetime(f"no latest date: {_told(settings)} reach beyond the year 9999")


def _date(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
