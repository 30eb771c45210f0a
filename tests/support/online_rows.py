"""Rows for an online store."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from features.items.catalogue import SCALARS as ITEM_SCALARS
from features.online import ItemRow, OnlineRow
from features.scalars import Scalar
from features.users.catalogue import SCALARS


def make_row(user_id: str = "u1", revision: int = 1, **changes: Any) -> OnlineRow:
    """Build a row whose every value is drawn from its user and revision; one float in five is null."""
    draw = random.Random(f"{user_id}/{revision}")
    row = OnlineRow(
        user_id=user_id,
        fence=(1, revision, 1_764_000_000_000 + revision),
        scalars=_scalars(draw, SCALARS),
        event_time=1_764_000_000_000 + draw.randrange(10_000_000),
        revision=revision,
        profile=_vector(draw),
        taste=_vector(draw),
        titles_waiting=draw.randrange(5),
        encoder="all-MiniLM-L6-v2@0123456789ab",
        score=draw.uniform(0, 100),
        expected_spend=draw.uniform(0, 1000),
        tier=draw.choice(["low", "medium", "high", "premium"]),
        scorer="2026-11-23-a1b2c3",
    )
    return replace(row, **changes)


def make_item_row(item_id: str = "i1", revision: int = 1, **changes: Any) -> ItemRow:
    """Build a row whose every value is drawn from its item and revision; one float in five is null."""
    draw = random.Random(f"{item_id}/{revision}")
    row = ItemRow(
        item_id=item_id,
        fence=(1, revision, 1_764_000_000_000 + revision),
        scalars=_scalars(draw, ITEM_SCALARS),
        title=draw.choice([None, "", "Zebra mug", "杯子 😀"]),
        category=draw.choice([None, "mugs"]),
        price=draw.choice([None, draw.uniform(0, 1e3)]),
        title_vector=_vector(draw),
        encoder="all-MiniLM-L6-v2@0123456789ab",
        event_time=1_764_000_000_000 + draw.randrange(10_000_000),
        revision=revision,
    )
    return replace(row, **changes)


def _scalars(draw: random.Random, scalars: Sequence[Scalar]) -> tuple[int | float | None, ...]:
    return tuple(
        draw.randrange(10_000) if scalar.integer else None if draw.random() < 0.2 else draw.uniform(-1e3, 1e3)
        for scalar in scalars
    )


def _vector(draw: random.Random) -> bytes:
    return struct.pack("<64f", *(draw.uniform(-1, 1) for _ in range(64)))
