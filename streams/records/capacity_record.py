"""The capacity record: the JSON that is published of what a user may be able to spend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from models.scoring.capacity import NOT_FOR

_encoder: Final = msgspec.json.Encoder()


def encode_capacity(
    user_id: str,
    *,
    capacity: float | None,
    band: str,
    evidence: int,
    prediction: float | None,
    intercept: float,
    reasons: Iterable[tuple[str, float]],
    life: int,
    revision: int,
    event_time: int,
    emitted_at: int,
    model: Mapping[str, Any],
    degraded: bool,
) -> bytes:
    """Return the JSON of a capacity record; numbers keep all digits of a double.

    `streams.records.score_record.rank` orders these records too.
    """
    return _encoder.encode(
        {
            "user_id": user_id,
            "capacity": capacity,
            "band": band,
            "evidence": evidence,
            "prediction": prediction,
            "intercept": intercept,
            "reasons": [{"feature": name, "contribution": value} for name, value in reasons],
            "life": life,
            "revision": revision,
            "event_time": event_time,
            "emitted_at": emitted_at,
            "model": model,
            "degraded": degraded,
            "not_for": NOT_FOR,
        }
    )
