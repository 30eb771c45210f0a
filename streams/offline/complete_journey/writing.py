"""Complete Journey as the files that `history`, `train` and `evaluate` read: events, and labels of households."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from streams.offline.complete_journey.households import Household, households
from streams.offline.complete_journey.purchases import LeftOut, purchases
from streams.offline.complete_journey.returns import Returns, with_returns

EVENTS_FILE: Final = "events.parquet"
LABELS_FILE: Final = "labels.csv"

_GROUP_ROWS: Final = 50_000


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        events: clicks.
        refunds: those among them that are simulated.
        labels: households with a label.
        left_out: the purchase lines that are no event.
    """

    events: int
    refunds: int
    labels: int
    left_out: LeftOut


def write_journey(folder: Path, chosen: Collection[str] | None = None, returns: Returns | None = None) -> Written:
    """Write `events.parquet` (clicks by time) and `labels.csv` into a folder; the same call writes the same bytes.

    Events go to the disk in groups, so memory does not grow with their number. The labels are those of
    `write_labels`.

    Args:
        folder: is made if it does not exist; files of these names are replaced.
        chosen: the households wanted, by number as text; None for all 2,469.
        returns: how much of it is returned, as we simulate it; None for the data as they are.

    Raises:
        ConfigurationError: the package is not installed, or is not the one expected.
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    left_out = LeftOut()
    bought = purchases(chosen, left_out)
    clicks = (purchase.click() for purchase in bought) if returns is None else with_returns(bought, returns)
    written = write_clicks(folder / EVENTS_FILE, clicks)
    known = [household for household in households() if chosen is None or household.user_id in chosen]
    write_labels(folder / LABELS_FILE, known)
    return Written(written.total(), written["refund"], len(known), left_out)


def write_clicks(path: Path, clicks: Iterable[dict[str, Any]]) -> Counter[str]:
    """Write clicks as a Parquet table that every command which reads events takes; return their number by action."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, whole = pa.string(), pa.int64()
    schema = pa.schema(
        [
            ("event_id", text), ("user_id", text), ("item_id", text), ("action", text), ("timestamp", whole),
            ("category", text), ("price", pa.float64()), ("quantity", whole), ("title", text), ("order_id", text),
        ]
    )  # fmt: skip
    written: Counter[str] = Counter()
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for group in _groups(clicks):
            file.write_table(pa.Table.from_pylist(group, schema))
            written.update(click["action"] for click in group)
    return written


def write_labels(path: Path, known: Iterable[Household]) -> None:
    """Write households as CSV: `user_id`, `label`, and the traits that a fairness table groups by."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Household._fields)
        writer.writerows(known)


def _groups(clicks: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for click in clicks:
        group.append(click)
        if len(group) == _GROUP_ROWS:
            yield group
            group = []
    if group:
        yield group
