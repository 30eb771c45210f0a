"""Comparing served rows of items with a history: each logged row against a fold of the facts, value by value.

A row may have fewer facts than the history holds by its T, because facts arrived late: each source partition of two
topics reaches an item in its own time, so any of very many cuts may be behind the row. They are not tried. Every sum of
facts can only be smaller with fewer of them, and that is what such a row is held to. A stream meets an erasure in its
own time too. So a row of what an erased user has told of is held to the same, with all that the user may have told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from features.expressions import DaysSince, Kept, Sum, Units
from features.items.catalogue import NAMES, OF_A_HEAD, SCALARS
from features.items.fact import Fact
from features.items.point_in_time import ItemSnapshot
from streams.exceptions import ConfigurationError
from streams.offline.history.comparison import VECTOR_TOLERANCE, Difference, Report
from streams.offline.history.folding import History
from streams.offline.history.items import Item, ItemHistory
from streams.offline.history.log_parts import ROWS_AT_ONCE, sampled_share
from streams.telemetry.served_log import EMITTED_AT, is_sampled

_ByInstant = dict[int, ItemSnapshot]

POLARITY_TOLERANCE: Final = 1e-4
"""The largest difference between two polarities of one text, which an encoder reads in batches of other sizes."""

_RISING: Final = tuple(scalar.name for scalar in SCALARS if isinstance(scalar.value, Sum | Units | Kept | DaysSince))
"""The features that further facts can only make greater."""

_SAID: Final = ("title", "category", "price")
_COLUMNS: Final = ("item_id", "event_time", "revision", EMITTED_AT, "encoder", *NAMES, *_SAID, "title_vector")


def read_item_log(parts: Sequence[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each row of a log with its item: the columns of the view, and `emitted_at`.

    Raises:
        ConfigurationError: a part cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for part in parts:
        try:
            for batch in pq.ParquetFile(part).iter_batches(ROWS_AT_ONCE, columns=_COLUMNS):
                for row in batch.select(_COLUMNS).to_pylist():
                    yield row["item_id"], row
        except (OSError, KeyError, pa.ArrowException) as error:
            raise ConfigurationError(f"{part}: expected a part of the log of items served, found none") from error


async def compare_items(history: History, items: ItemHistory, parts: Sequence[Path], limit: int) -> Report:
    """Compare a log with a history.

    Args:
        history: a history on which `gather` was not called yet.
        items: of it.
        parts: the parts of the log.
        limit: the number of differences and items to name.
    """
    report = Report(limit, share=sampled_share(parts))
    history.gather()
    for item_id, row in read_item_log(parts):
        items.note(item_id, row)
    await items.gather()
    async with aclosing(items.all()) as found:
        async for item in found:
            _compare(item, report)
    return report


def _compare(item: Item, report: Report) -> None:
    if not item.notes:
        if is_sampled(item.item_id, report.share):
            report.missing += 1
            report.name(report.missing_keys, item.item_id)
        return
    instants = sorted({row["event_time"] for row in item.notes})
    offline = {found.instant: found for found in item.snapshots(instants)}
    # Folded once, and only for an item that has a row which asks.
    fullest = cache(lambda: {found.instant: found for found in item.fullest(instants)})
    for row in item.notes:
        report.logged += 1
        report.vectors_not_compared += row["encoder"] != item.encoder
        _judge(item, row, offline.get(row["event_time"]), fullest, report)


def _judge(
    item: Item, row: Mapping[str, Any], found: ItemSnapshot | None, fullest: Callable[[], _ByInstant], report: Report
) -> None:
    if found is None:
        if _is_erased(item, row, fullest):
            report.erased += 1
        else:
            report.extra += 1
            report.name(report.extra_keys, item.item_id)
        return
    folded = _values(found)
    differing = {name: (row[name], value) for name, value in folded.items() if not _same(name, row[name], value)}
    if row["encoder"] != item.encoder:
        # A head reads the embeddings of one encoder.
        differing = {name: both for name, both in differing.items() if name not in OF_A_HEAD}
    elif not _same_vector(row, found):
        differing["title_vector"] = (row["title_vector"], found.title_vector.tolist())
    if not differing:
        report.equal += 1
    elif row["revision"] < found.revision and _is_less(row, found, item.facts):
        report.late += 1
    elif _is_erased(item, row, fullest):
        report.erased += 1
    else:
        report.mismatches += 1
        if len(report.differences) < report.limit:
            place = (item.item_id, row["event_time"], row["revision"], row[EMITTED_AT])
            report.differences.append(Difference(*place, differing))


def _same(name: str, served: Any, folded: Any) -> bool:
    if name in OF_A_HEAD and served is not None and folded is not None:
        return bool(abs(served - folded) <= POLARITY_TOLERANCE)
    return bool(served == folded)


def _same_vector(row: Mapping[str, Any], found: ItemSnapshot) -> bool:
    served = np.asarray(row["title_vector"], np.float32)
    # Zeros may be those of a title that was still to be read.
    if row["title"] != found.title or not served.any():
        return True
    return bool(np.allclose(served, found.title_vector, rtol=0, atol=VECTOR_TOLERANCE))


def _is_less(row: Mapping[str, Any], found: ItemSnapshot, facts: Sequence[Fact]) -> bool:
    """Tell whether a row can be that of fewer facts: no sum is greater, and what it says of the item some fact says."""
    folded = _values(found)
    if any(row[name] > folded[name] for name in ("revision", *_RISING)):
        return False
    told = [fact for fact in facts if fact.timestamp <= row["event_time"]]
    return all(row[name] is None or row[name] in {getattr(fact, name) for fact in told} for name in _SAID)


def _is_erased(item: Item, row: Mapping[str, Any], fullest: Callable[[], _ByInstant]) -> bool:
    """Tell whether a row can be that of a stream which met erasures earlier or later than the history does."""
    found = fullest().get(row["event_time"]) if item.doubted else None
    return found is not None and _is_less(row, found, [*item.facts, *item.denied])


def _values(found: ItemSnapshot) -> dict[str, Any]:
    return {
        "revision": found.revision,
        **dict(zip(NAMES, found.scalars, strict=True)),
        "title": found.title,
        "category": found.category,
        "price": found.price,
    }
