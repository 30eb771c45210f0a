"""Records whose fields are missing, ill-typed or out of range."""

from __future__ import annotations

from typing import Any

import pytest
from support.raw_records import BASES, EARLIEST, NOW, Literal, decode, reason, record

from streams.records.rejection import Reason, Rejection

LONG_IDS = ["", "a" * 257, "é" * 129, "é" * 128 + "a", "😀" * 65, "統" * 86]
WRONG_STRINGS = [0, 1.5, True, False, [], {}, ["u1"], {"a": "u1"}]
WRONG_NUMBERS = ["1", "", True, False, [], {}, [1], Literal("1e999"), Literal("-1e999"), -1, -0.01]


def hostile_fields() -> list[tuple[str, str, Any]]:
    cases: list[tuple[str, str, Any]] = []
    for topic, base in BASES.items():
        for name in base:
            cases += [(topic, name, ...), (topic, name, None)]
        for name in base:
            if name.endswith("_id"):
                cases += [(topic, name, value) for value in [*WRONG_STRINGS, *LONG_IDS]]
        cases += [(topic, "timestamp", value) for value in WRONG_TIMESTAMPS]
    for topic, name in (("reviews", "text"), ("searches", "query"), ("clicks", "action")):
        cases += [(topic, name, value) for value in WRONG_STRINGS]
    for topic, names in OPTIONAL_STRINGS.items():
        cases += [(topic, name, value) for name in names for value in WRONG_STRINGS]
    cases += [("clicks", name, value) for name in ("session_id", "order_id") for value in LONG_IDS]
    cases += [("clicks", "action", value) for value in ("", "View", "VIEW", "buy", "view ", "purchases")]
    for topic, name in NUMBERS:
        cases += [(topic, name, value) for value in WRONG_NUMBERS]
    cases += [("reviews", "rating", value) for value in (0, 0.999, 5.001, 6, 10**30, Literal("9" * 400))]
    for topic in ("reviews", "clicks"):
        beyond = [1_000_000_000.01, 1_000_000_001, 10**30, Literal("9" * 400), Literal("9" * 5_000)]
        cases += [(topic, "price", value) for value in beyond]
        cases += [(topic, "currency", value) for value in ("EUR", "usd", "", "USD ")]
    cases += [("searches", "results", Literal("9" * digits)) for digits in (310, 311, 5_000)]
    wrong_quantities = [0, 1_000_001, 1.0, 2.5, Literal("1e0"), Literal("1E2"), 10**30, Literal("9" * 5_000)]
    cases += [("clicks", "quantity", value) for value in wrong_quantities]
    return cases


OPTIONAL_STRINGS = {
    "reviews": ["category", "locale", "currency"],
    "searches": ["category"],
    "clicks": ["category", "currency", "session_id", "title", "order_id"],
}
NUMBERS = [
    ("reviews", "rating"),
    ("reviews", "price"),
    ("searches", "results"),
    ("clicks", "price"),
    ("clicks", "quantity"),
]
WRONG_TIMESTAMPS = [
    EARLIEST - 1,
    NOW // 1000,
    0,
    -1,
    -(10**30),
    Literal("-" + "9" * 5_000),
    float(NOW),
    Literal("1.764e12"),
    Literal("1e30"),
    Literal("1e300"),
    Literal("1e999"),
    Literal("-1e999"),
    Literal("1" * 30 + ".0"),
    True,
    False,
    [],
    {},
    [NOW],
    "",
    str(NOW),
    "2025-11-24",
    "2025-11-24T16:00:00",
    "2025-02-29T16:00:00Z",
    "1989-12-31T23:59:59.999Z",
    "1990-01-01T00:00:00+00:01",
]


@pytest.mark.parametrize(("topic", "name", "value"), hostile_fields())
def test_a_field_missing_ill_typed_or_out_of_range_is_invalid(topic: str, name: str, value: Any) -> None:
    outcome = decode(topic, record(topic, **{name: value}))
    assert isinstance(outcome, Rejection)
    assert outcome.reason is Reason.INVALID
    assert outcome.detail.startswith(f"{name}: expected ")


@pytest.mark.parametrize("value", [b"[]", b"[{}]", b'"u1"', b"5", b"1e999", b"true", b"null", b"[1e999]", b"9" * 5_000])
def test_a_value_that_is_no_object_is_invalid(value: bytes) -> None:
    assert reason(decode("clicks", value)) == "invalid"


def test_price_times_quantity_is_limited() -> None:
    for price, quantity in ((1000.01, 1_000_000), (1e9, 2), (500_000_001, 2)):
        outcome = decode("clicks", record("clicks", price=price, quantity=quantity))
        assert isinstance(outcome, Rejection)
        assert outcome.reason is Reason.INVALID


@pytest.mark.parametrize(
    ("topic", "changes", "told"),
    [
        ("reviews", {"rating": 6}, "rating: expected a number from 1 to 5, found a greater one"),
        ("reviews", {"rating": 0.5}, "rating: expected a number from 1 to 5, found a smaller one"),
        ("reviews", {"rating": "5"}, "rating: expected a number from 1 to 5, found a string"),
        ("clicks", {"quantity": 0}, "quantity: expected an integer from 1 to 1000000, found a smaller one"),
        ("clicks", {"quantity": 2.0}, "quantity: expected an integer from 1 to 1000000, found a number"),
        ("clicks", {"item_id": ""}, "item_id: expected a string of 1 to 256 UTF-8 bytes, found an empty one"),
        ("clicks", {"item_id": "i" * 257}, "item_id: expected a string of 1 to 256 UTF-8 bytes, found a longer one"),
        ("clicks", {"item_id": 7}, "item_id: expected a string of 1 to 256 UTF-8 bytes, found an integer"),
        (
            "clicks",
            {"action": "zap"},
            "action: expected one of view, favorite, cart, purchase, remove, refund, found another",
        ),
        (
            "clicks",
            {"action": None},
            "action: expected one of view, favorite, cart, purchase, remove, refund, found nothing or null",
        ),
        ("clicks", {"currency": "EUR"}, "currency: expected the deployment's own, USD, found another"),
    ],
)
def test_what_was_found_is_told_apart_from_what_was_expected(topic: str, changes: dict[str, Any], told: str) -> None:
    rejection = decode(topic, record(topic, **changes))
    assert isinstance(rejection, Rejection)
    assert rejection.detail == told
