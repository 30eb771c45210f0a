"""The score record: the JSON that is published for a user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec


class Trigger(NamedTuple):
    """The event that caused a record."""

    topic: str
    partition: int
    offset: int


_encoder: Final = msgspec.json.Encoder()


def encode_score(
    user_id: str,
    *,
    score: float,
    expected_spend: float,
    tier: str,
    tags: list[str],
    labels: Mapping[str, Any],
    prediction: float,
    intercept: float,
    reasons: Iterable[tuple[str, float]],
    life: int,
    revision: int,
    event_time: int,
    emitted_at: int,
    trigger: Trigger | None,
    model: Mapping[str, Any],
    degraded: bool,
) -> bytes:
    """Return the JSON of a score record; numbers keep all digits of a double."""
    cause: Any = None
    if trigger is not None:
        cause = {"topic": trigger.topic, "partition": trigger.partition, "offset": trigger.offset}
    return _encoder.encode(
        {
            "user_id": user_id,
            "score": score,
            "expected_spend": expected_spend,
            "tier": tier,
            "tags": tags,
            "labels": labels,
            "prediction": prediction,
            "intercept": intercept,
            "reasons": [{"feature": name, "contribution": value} for name, value in reasons],
            "life": life,
            "revision": revision,
            "event_time": event_time,
            "emitted_at": emitted_at,
            "trigger": cause,
            "model": model,
            "degraded": degraded,
        }
    )


Rank = tuple[int, int, int, int]
"""(life, revision, event time, emitted at) of a record: the greater one is the newer."""


def newer(record: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Tell whether a consumer that holds the record `known` of a user or an item takes `record` in its place."""
    return rank(record) > rank(known)


def rank(record: Mapping[str, Any]) -> Rank:
    """Return what orders the records of one user or item."""
    # Records of releases without lives have none.
    return record.get("life", 0), record["revision"], record["event_time"], record["emitted_at"]
