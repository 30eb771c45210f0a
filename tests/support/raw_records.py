"""Records of each topic as bytes, with fields that a test changes, and what decoding makes of them."""

from __future__ import annotations

import json
from typing import Any

from streams.records.decoder import Decoder
from streams.records.events import Click, Erasure, Review, Search
from streams.records.rejection import Rejection

NOW = 1_764_000_000_000
DAY = 86_400_000
EARLIEST = 631_152_000_000
MIB = 1_048_576
DECODER = Decoder()

REVIEW = {
    "event_id": "r-1",
    "user_id": "u1",
    "item_id": "i1",
    "text": "Sturdy, well made",
    "rating": 4.5,
    "timestamp": NOW,
}
SEARCH = {"event_id": "s-1", "user_id": "u1", "query": "espresso machine", "timestamp": NOW}
CLICK = {"event_id": "c-1", "user_id": "u1", "item_id": "i1", "action": "view", "timestamp": NOW}
ERASURE = {"user_id": "u1", "timestamp": NOW}
BASES = {"reviews": REVIEW, "searches": SEARCH, "clicks": CLICK, "erasures": ERASURE}

Outcome = Review | Search | Click | Erasure | Rejection


class Literal(str):
    """JSON text to be put into a record as it is."""


def encode(fields: dict[str, Any]) -> bytes:
    members = (
        f"{json.dumps(name)}:{value if type(value) is Literal else json.dumps(value, ensure_ascii=False)}"
        for name, value in fields.items()
    )
    return ("{" + ",".join(members) + "}").encode()


def record(topic: str, **changes: Any) -> bytes:
    """A valid record with fields replaced; Ellipsis leaves a field out."""
    return encode({name: value for name, value in {**BASES[topic], **changes}.items() if value is not ...})


def decode(topic: str, value: bytes | None, key: bytes | None = b"u1", at: int = NOW) -> Outcome:
    return DECODER.decode(topic, key, value, at)


def reason(outcome: Outcome) -> str | None:
    return str(outcome.reason) if isinstance(outcome, Rejection) else None


LONE = Literal(r'"\ud800"')
"""A string of one lone surrogate, which strict JSON does not have."""

TOO_LONG = " " * MIB
"""Too long for a record, whatever else is in it."""
