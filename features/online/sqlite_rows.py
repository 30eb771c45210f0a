"""How rows lie in SQLite: the names of tables, the statement that writes a view, its parameters for a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import repeat
from typing import Any

from features.online.user_views import USERS
from features.online.views import Column, Serving, View
from features.online.wire import texts, values


def fence_table(project: str, serving: Serving[Any]) -> str:
    """Return the table of the fences of an entity; that of users is older than the second entity."""
    return f"{project}_fence" if serving.entity == USERS.entity else f"{project}_{serving.entity}_fence"


def quoted(identifier: str) -> str:
    """Return an identifier as a statement names it."""
    return '"' + identifier.replace('"', '""') + '"'


def upsert(table: str, view: View) -> str:
    """Build the statement that writes one view of one key: a single one costs half of one per feature.

    Its parameters: the entity key, the event timestamp, then value and text of each feature.
    """
    # In the order of the primary key, neighbours in the index are written one after the other.
    in_key_order = sorted(enumerate(view.features), key=lambda numbered: numbered[1].name)
    lines = ", ".join(
        f"(?1, '{feature.name}', ?{2 * position + 3}, ?{2 * position + 4}, ?2, NULL)"
        for position, feature in in_key_order
    )
    return (
        f"INSERT INTO {table} (entity_key, feature_name, value, value_text, event_ts, created_ts) VALUES {lines} "
        "ON CONFLICT(entity_key, feature_name) DO UPDATE SET value = excluded.value, "
        "value_text = excluded.value_text, event_ts = excluded.event_ts, created_ts = excluded.created_ts"
    )


def blocks_of(
    serving: Serving[Any], landing: Mapping[bytes, Any], event_ts: int
) -> dict[str, Iterator[tuple[Any, ...]]]:
    """Return by the name of each view that is written the parameters of its upsert, one tuple per key.

    Args:
        serving: the entity.
        landing: rows by entity key.
        event_ts: Feast's event timestamp (`feast_seconds`).
    """
    batch = iter(serving.columns(list(landing.values())))
    blocks = {view.name: _block(view, list(landing), event_ts, batch) for view in serving.views}
    if serving.extra is not None:
        having = {key: row for key, row in landing.items() if serving.extra.has(row)}
        if having:
            batch = iter(serving.extra.columns(list(having.values())))
            view = serving.extra.view
            blocks[view.name] = _block(view, list(having), event_ts, batch)
    return blocks


def _block(view: View, keys: Column, event_ts: int, batch: Iterator[Column]) -> Iterator[tuple[Any, ...]]:
    bound: list[Column | Iterator[int]] = [keys, repeat(event_ts)]
    for feature in view.features:
        column = next(batch)
        bound += (values(feature.kind, column), texts(feature.kind, column))
    return zip(*bound, strict=False)


def feast_seconds(nanoseconds: int) -> int:
    """Return the `event_ts` that Feast stores for an instant.

    Feast drops the zone of its UTC time and then takes the epoch seconds of that, read as local time; its
    reader undoes both. Outside UTC the stored number is therefore not the epoch's.
    """
    instant = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return int(instant.replace(tzinfo=None).timestamp())
