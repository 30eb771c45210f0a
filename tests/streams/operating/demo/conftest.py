from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from support.baskets import basket
from support.item_records import item_record

from streams.offline.sample.orders import PERIOD_END
from streams.operating.demo.choosing import Role
from streams.operating.demo.closing import Live, Outcome
from streams.operating.demo.journey import Day
from streams.operating.demo.quality import Quality
from streams.operating.demo.standing import Move
from streams.operating.demo.stories import Story

MONTH = 30 * 86_400_000


def score(user: str, value: float, tier: str = "premium", lifecycle: str = "loyal", **more: Any) -> dict[str, Any]:
    return {
        "user_id": user,
        "score": value,
        "prediction": value / 20,
        "tier": tier,
        "expected_spend": 12_345.678,
        "tags": ["soundtracks", "electronic"],
        "labels": {"lifecycle": lifecycle},
        "reasons": [{"feature": "days_since_last_purchase", "contribution": -1.234}],
    } | more


@pytest.fixture
def outcome() -> Outcome:
    """Of large numbers and long names."""
    moves = (
        Move("lifetime_spend", 9_903.38, 11_107.8, 0.75),
        Move("spend_30d", 0.0, 1_204.4, -0.5),
        Move("purchases_30d", 0, 1_234, 0.25),
        Move("tenure_days", 470.2, 500.2, 0.125),
        Move("profile_vector", None, None, 0.0625),
        Move("views_30d", 3, 3, -0.03125),
    )
    orders = (basket("u", PERIOD_END - MONTH + 1, *[80.0] * 1_234), basket("u", PERIOD_END - MONTH + 2, 9.99))
    days = [
        Day(date(1998, 6, number), orders if number % 2 else (), {"searches": 1, "view": 12}, score("u", 84.7))
        for number in range(2, 9)
    ]
    known = {"lifetime_orders": 1_111, "lifetime_spend": 9_903.38, "days_since_last_purchase": 1_470.4}
    stories = [
        Story(role, f"1234{place}", score("u", 1.3, "low"), score("u", 92.8, "high", "at_risk"), known, told, moves)
        for place, (role, told) in enumerate(zip(Role, (days, days[:2], []), strict=True))
    ]
    return Outcome(
        account="43,510 events in = 43,283 applied + 213 duplicates + 14 dead letters + 0 erased",
        items_account="41,000 of 41,000 facts applied to 13,000 items",
        backlog_events=42_068,
        backlog_seconds=21.04,
        live=Live(1_442, 100.0, 14.51, {"p50": 15.2, "p95": 1_027.0, "p99": 12_062.4}),
        begin=PERIOD_END - MONTH,
        end=PERIOD_END,
        currency="USD",
        quality=Quality(1_209, 97, 123_982.61, 0.8191, 0.5045, 0.8063),
        stories=stories,
        scores={f"{user:05}": score(f"{user:05}", 99 - user / 7) for user in range(20)},
        sellers=[item_record(f"98{place}", title="baked bread", units_7d=9 - place) for place in range(3)],
    )
