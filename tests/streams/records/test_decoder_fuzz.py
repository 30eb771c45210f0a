"""A million hostile records, in slices that fit into every run: whatever the bytes, decoding returns, and quietly."""

from __future__ import annotations

import json
import random
from typing import Final

import pytest

from streams.records.decoder import Decoder
from streams.records.events import Click, Erasure, Review, Search
from streams.records.rejection import Rejection

SLICES: Final = 10
RECORDS_PER_SLICE: Final = 100_000
NOW: Final = 1_764_000_000_000
SECRET: Final = "zq7x"
"""In every text of the corpus; what is rejected must not be quoted."""

CORPUS: Final = {
    "reviews": {
        "event_id": "r1",
        "user_id": SECRET,
        "item_id": "i1",
        "text": f"{SECRET} 很好 \U0001f600",
        "rating": 4.5,
        "timestamp": NOW,
        "category": None,
        "price": 12.5,
        "locale": "zh-CN",
    },
    "searches": {
        "event_id": "s1",
        "user_id": SECRET,
        "query": SECRET,
        "timestamp": "2025-11-24T16:00:00Z",
        "results": 3,
    },
    "clicks": {
        "event_id": "c1",
        "user_id": SECRET,
        "item_id": "i1",
        "action": "purchase",
        "timestamp": NOW,
        "price": 9.99,
        "quantity": 2,
        "currency": "USD",
        "nested": {"a": [1, [2, {"b": None}]]},
    },
    "erasures": {"user_id": SECRET, "timestamp": NOW},
}
PIECES: Final = [
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\\u", b"\\ud83d", b"null", b"true", b"NaN", b"-", b"1e999"),
    *(
        b"0",
        b"9" * 400,
        b"\xef\xbb\xbf",
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\x00",
        b"\x7f",
        b" ",
        b"\n",
        b"[" * 70,
    ),
    *(b'"timestamp":', b'"price":-0.0', b'"quantity":1000001', b'"action":"buy"', b"\xf0\x9f\x98\x80", b"e", b"."),
]


def damaged(rng: random.Random, record: bytes) -> bytes:
    """The record with one to four spots cut, doubled, overwritten or grown."""
    for _ in range(rng.randint(1, 4)):
        at, until = sorted((rng.randint(0, len(record)), rng.randint(0, len(record))))
        match rng.randrange(5):
            case 0:
                record = record[:at] + rng.choice(PIECES) + record[at:]
            case 1:
                record = record[:at] + rng.choice(PIECES) + record[at + rng.randint(1, 6) :]
            case 2:
                record = record[:at] + record[min(until, at + 12) :]
            case 3:
                record = record[:until] + record[at : at + 40] + record[until:]
            case _:
                record = record[:at] + bytes([rng.randrange(256)]) + record[at + 1 :]
    return record


@pytest.mark.parametrize("number", range(SLICES))
def test_whatever_the_bytes_a_record_becomes_an_event_or_a_quiet_rejection(number: int) -> None:
    rng = random.Random(number)
    decode = Decoder().decode
    records = {
        topic: [json.dumps(value, ensure_ascii=ascii_only).encode() for ascii_only in (True, False)]
        for topic, value in CORPUS.items()
    }
    topics = list(records)
    key = SECRET.encode()
    kinds = set()
    for _ in range(RECORDS_PER_SLICE):
        topic = rng.choice(topics)
        outcome = decode(topic, key, damaged(rng, rng.choice(records[topic])), NOW)
        kinds.add(type(outcome))
        if type(outcome) is Rejection:
            assert SECRET not in outcome.detail
    # Damaged too little or too much, the slice would test one way only.
    assert kinds == {Review, Search, Click, Erasure, Rejection}
