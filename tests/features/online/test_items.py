"""Items in the store of users: each is served, removed and asked for by itself."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from support.online_backends import Backend
from support.online_rows import make_item_row, make_row

from features.items.catalogue import NAMES
from features.online import ITEMS, ItemRow, OnlineStore, open_online_store
from features.online.reading import items_of, read_items, read_users


@pytest.fixture
def items(backend: Backend, store: OnlineStore) -> Iterator[OnlineStore]:
    """Where items are written, beside the store of users."""
    with closing(open_online_store(backend.url, serving=ITEMS)) as opened:
        yield opened


def served(row: ItemRow) -> dict[str, Any]:
    """What a reader must get for a row."""
    return {
        "item_id": row.item_id,
        **dict(zip(NAMES, row.scalars, strict=True)),
        "title": row.title,
        "category": row.category,
        "price": row.price,
        "title_vector": list(struct.unpack("<64f", row.title_vector)),
        "encoder": row.encoder,
        "event_time": row.event_time,
        "revision": row.revision,
    }


def test_an_item_reads_back_as_it_was_written(backend: Backend, items: OnlineStore) -> None:
    rows = [make_item_row(f"ключ \u0000 鍵 {number}", number + 1) for number in range(230)]
    assert items.write(rows).written == 230
    assert read_items(backend.url, [row.item_id for row in rows] + ["nothing"]) == [served(row) for row in rows]


def test_a_newer_row_replaces_every_value_nulls_included(backend: Backend, items: OnlineStore) -> None:
    items.write([make_item_row("i1", 1, title="Zebra mug", category="mugs", price=2.5)])
    row = make_item_row("i1", 2, title=None, category=None, price=None)
    items.write([row])
    assert read_items(backend.url, ["i1"]) == [served(row)]


@pytest.mark.parametrize("length", [31, 32, 255, 256, 65_535, 65_536, 300_000])
def test_a_category_of_any_length_is_served(backend: Backend, items: OnlineStore, length: int) -> None:
    row = make_item_row("i1", 1, category="x" * length, title="")
    items.write([row])
    assert read_items(backend.url, ["i1"]) == [served(row)]


def test_a_user_and_an_item_of_one_id_know_nothing_of_each_other(
    backend: Backend, store: OnlineStore, items: OnlineStore
) -> None:
    store.write([make_row("same", 1)])
    items.write([make_item_row("same", 7)])
    assert store.delete({"same": (9, 9, 9)}).deleted == 1
    assert [store.has("same"), items.has("same")] == [False, True]
    assert read_items(backend.url, ["same"]) == [served(make_item_row("same", 7))]
    assert items.write([make_item_row("same", 8)]).written == 1, "the fence of the user is none of the item's"
    items.delete({"same": (9, 9, 9)})
    assert store.write([make_row("same", 2, fence=(10, 0, 0))]).written == 1
    assert [store.has("same"), items.has("same")] == [True, False]
    assert [user["revision"] for user in read_users(backend.url, ["same"])] == [2]


def test_all_items_that_are_served_can_be_listed(backend: Backend, store: OnlineStore, items: OnlineStore) -> None:
    assert items_of(backend.url) == []
    store.write([make_row(f"user-{number}", 1) for number in range(5)])
    items.write([make_item_row(f"item-{number:03}", 1) for number in range(250)])
    items.delete({"item-007": (2, 0, 0)})
    assert items_of(backend.url) == [f"item-{number:03}" for number in range(250) if number != 7]


def test_a_file_that_knows_no_items_has_none(backend: Backend, store: OnlineStore) -> None:
    store.write([make_row("u1", 1)])
    assert items_of(backend.url) == []
    assert read_items(backend.url, ["u1"]) == []


def test_keys_of_another_project_are_not_ours(redis_server: Any) -> None:
    client = redis_server.client()
    client.flushdb()
    url = redis_server.url()
    with (
        closing(open_online_store(url, "other-wherewithal", serving=ITEMS)) as other,
        closing(open_online_store(url, serving=ITEMS)) as ours,
    ):
        other.write([make_item_row("i1", 1)])
        assert [other.has("i1"), ours.has("i1")] == [True, False]
        assert items_of(url) == []
