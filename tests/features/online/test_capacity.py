"""The view of capacity in every store: written with the row, left alone without one, gone with the user."""

from __future__ import annotations

from typing import Any

import pytest
from support.online_backends import Backend

from features.online import OnlineStore
from features.online.reading import read_users
from features.online.rows import CapacityRow
from features.online.store import WriteResult

KNOWN = CapacityRow(71.25, 0.77, "upper", "2026-11-28-0a1b2c", "all-MiniLM-L6-v2@0123456789ab", 42)
UNKNOWN = CapacityRow(None, None, "unknown", KNOWN.scorer, KNOWN.encoder, 0)


def capacity(backend: Backend, user_id: str = "u1") -> Any:
    (row,) = read_users(backend.url, [user_id])
    return row.get("purchasing_capacity")


@pytest.mark.parametrize("row", [KNOWN, UNKNOWN])
def test_what_is_served_of_a_user_is_what_was_written(
    backend: Backend, store: OnlineStore, make_row: Any, row: CapacityRow
) -> None:
    store.write([make_row("u1", 3, capacity=row), make_row("u2", 3)])
    assert capacity(backend) == {
        "capacity": row.capacity,
        "prediction": row.prediction,
        "band": row.band,
        "scorer": row.scorer,
        "encoder": row.encoder,
        "evidence": row.evidence,
        "revision": 3,
    }
    assert capacity(backend, "u2") is None


def test_an_older_row_changes_no_capacity(backend: Backend, store: OnlineStore, make_row: Any) -> None:
    store.write([make_row("u1", 3, capacity=KNOWN)])
    assert store.write([make_row("u1", 2, capacity=UNKNOWN)]) == WriteResult(0, 1)
    assert capacity(backend)["band"] == "upper"
    store.write([make_row("u1", 4, capacity=UNKNOWN)])
    assert (capacity(backend)["capacity"], capacity(backend)["revision"]) == (None, 4)


def test_rows_with_and_without_capacity_land_together(backend: Backend, store: OnlineStore, make_row: Any) -> None:
    rows = [make_row(f"u{number}", 1, capacity=KNOWN if number % 3 else None) for number in range(100)]
    assert store.write(rows) == WriteResult(100, 0)
    found = read_users(backend.url, [row.user_id for row in rows])
    assert ["purchasing_capacity" in row for row in found] == [bool(number % 3) for number in range(100)]


def test_an_erasure_takes_the_capacity_too_although_none_is_written_any_more(
    backend: Backend, store: OnlineStore, make_row: Any
) -> None:
    store.write([make_row("u1", 1, capacity=KNOWN)])
    store.write([make_row("u1", 2)])
    assert capacity(backend)["revision"] == 1, "what is not published any more stays as it was"
    store.delete({"u1": (1, 3, 0)})
    assert not store.has("u1")
    store.write([make_row("u1", 4)])
    assert capacity(backend) is None, "nothing from before the erasure comes back with the user"
