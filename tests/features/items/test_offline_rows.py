"""Rows of items as Parquet holds them, and as Feast's offline store finds them."""

from __future__ import annotations

import struct
from pathlib import Path

import pyarrow
import pyarrow.parquet as pq
import pytest
from support.online_rows import make_item_row

from features import repository
from features.exceptions import OfflineColumnsError
from features.offline_parquet import (
    ITEMS_FOLDER,
    TIMESTAMP_FIELD,
    absent_columns,
    offline_table,
    view_schema,
    view_table,
)
from features.online import ITEMS


def test_the_columns_are_those_of_the_view():
    (view,) = ITEMS.views
    assert view_schema(ITEMS).names == ["item_id", *(feature.name for feature in view.features)]
    source = repository.item_source()
    assert (source.path, source.timestamp_field) == (ITEMS_FOLDER, TIMESTAMP_FIELD)


def test_a_table_holds_the_rows_as_they_are():
    rows = [make_item_row("i1", 1, title=None, price=None), make_item_row("i2", 2, title="", category="mugs")]
    table = view_table(rows, ITEMS)
    assert table.schema == view_schema(ITEMS)
    found = table.to_pylist()
    assert [(one["item_id"], one["title"], one["revision"]) for one in found] == [("i1", None, 1), ("i2", "", 2)]
    assert [one["title_vector"] for one in found] == [list(struct.unpack("<64f", row.title_vector)) for row in rows]
    assert view_table([], ITEMS).num_rows == 0
    times = offline_table(rows, ITEMS)[TIMESTAMP_FIELD].cast(pyarrow.int64()).to_pylist()
    assert times == [row.event_time for row in rows]


def test_a_history_without_a_column_is_refused_before_feast_looks(tmp_path: Path):
    folder = tmp_path / ITEMS_FOLDER
    folder.mkdir()
    pq.write_table(offline_table([make_item_row()], ITEMS).drop_columns(["polarity_30d"]), folder / "part.parquet")
    assert absent_columns(folder, ["views_1h", "polarity_30d"], ITEMS) == ["polarity_30d"]
    store = repository.apply(tmp_path, f"sqlite:///{tmp_path}/online.db")
    with pytest.raises(OfflineColumnsError, match="found no polarity_30d: fold the history anew") as refused:
        store.get_historical_features(entity_df=None, features=["item_signals:polarity_30d"])
    assert repository.SERVICE not in str(refused.value)
