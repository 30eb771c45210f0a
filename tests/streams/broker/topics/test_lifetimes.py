"""Until when a broker keeps what an erasure leaves, by the settings of the topic."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streams.broker.topics.lifetimes import BROKER_MS, Lifetime, of_records, of_replaced, of_tombstone

DAY = 86_400_000
NOW = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp() * 1000)
WEEK = {"retention.ms": str(7 * DAY), "segment.ms": str(2 * DAY)}
LAGS = {"max.compaction.lag.ms": str(3 * DAY), "min.compaction.lag.ms": str(DAY), "segment.ms": str(DAY)}


def test_records_go_after_the_retention_and_the_time_that_a_segment_is_written_to() -> None:
    found = of_records(WEEK | {"cleanup.policy": "delete"}, NOW)
    assert found.latest == NOW + 9 * DAY + BROKER_MS
    assert found.if_record_after is None
    assert found.until == (
        "gone by 2026-11-10T01:00:00Z at the latest (retention.ms 604800000 (7 days), segment.ms 172800000 (2 days))"
    )


@pytest.mark.parametrize(
    ("changes", "until"),
    [
        ({"retention.ms": "-1"}, "no latest date: retention.ms has no limit"),
        ({"retention.ms": ""}, "latest date unknown: the broker does not tell retention.ms; ask it"),
        ({"segment.ms": ""}, "latest date unknown: the broker does not tell segment.ms; ask it"),
        ({"cleanup.policy": "compact"}, "no latest date: cleanup.policy is compact, which keeps the newest record"),
    ],
)
def test_records_that_nothing_bounds_have_no_date(changes: dict[str, str], until: str) -> None:
    found = of_records(WEEK | changes, NOW)
    assert found[1:] == (None, None)
    assert found.until.startswith(until)
    assert of_records({}, NOW).latest is None


def test_a_policy_of_both_deletes_records_too() -> None:
    assert of_records(WEEK | {"cleanup.policy": "compact,delete"}, NOW).latest == of_records(WEEK, NOW).latest


@pytest.mark.parametrize(
    ("changes", "closed", "latest"),
    [
        ({}, 1, 3),
        # What is closed late waits for the least lag on top.
        ({"min.compaction.lag.ms": str(5 * DAY // 2)}, 1, 3.5),
        # Kafka closes a segment after the greatest lag, however long it may be by itself.
        ({"segment.ms": str(7 * DAY)}, 3, 4),
    ],
)
def test_replaced_records_go_with_a_compaction_that_needs_the_segment_closed(
    changes: dict[str, str], closed: float, latest: float
) -> None:
    found = of_replaced(LAGS | changes | {"cleanup.policy": "compact"}, NOW)
    assert found.if_record_after == NOW + closed * DAY
    assert found.latest == NOW + latest * DAY + BROKER_MS
    assert f"if the partition takes a record after 2026-11-0{1 + closed}T00:00:00Z" in found.until


@pytest.mark.parametrize(
    ("changes", "until"),
    [
        ({"max.compaction.lag.ms": str(2**63 - 1)}, "no latest date: max.compaction.lag.ms is not set"),
        ({"max.compaction.lag.ms": ""}, "latest date unknown: the broker does not tell max.compaction.lag.ms; ask it"),
    ],
)
def test_replaced_records_that_nothing_bounds_have_no_date(changes: dict[str, str], until: str) -> None:
    found = of_replaced(LAGS | changes, NOW)
    assert found[1:] == (None, None)
    assert found.until.startswith(until)


def test_a_topic_that_is_not_compacted_keeps_replaced_records_as_it_keeps_all() -> None:
    assert of_replaced(WEEK | {"cleanup.policy": "delete"}, NOW) == of_records(WEEK, NOW)


@pytest.mark.parametrize(
    "found",
    [
        of_records(WEEK | {"retention.ms": str(2**62)}, NOW),
        of_replaced(LAGS | {"max.compaction.lag.ms": str(2**62)}, NOW),
    ],
)
def test_a_date_that_no_calendar_has_is_none(found: Lifetime) -> None:
    assert found[1:] == (None, None)
    assert found.until.startswith("no latest date: ")
    assert found.until.endswith("reach beyond the year 9999")


def test_a_tombstone_names_the_user_until_a_later_compaction() -> None:
    assert of_tombstone({"delete.retention.ms": str(DAY)}) == Lifetime(
        "no latest date: it goes with the first compaction after delete.retention.ms 86400000 (1 days) is over"
    )
    assert of_tombstone({}).until.endswith("which is unknown")
