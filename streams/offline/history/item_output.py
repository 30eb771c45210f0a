"""The output of `wherewithal history --entity item`: Parquet parts for Feast's offline store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final

from features.items.point_in_time import ItemSnapshot
from features.offline_parquet import ITEMS_FOLDER, offline_table
from features.online.item_views import ITEMS
from features.online.rows import ItemRow
from streams.inference.loading import Inference
from streams.offline.history.folding import History
from streams.offline.history.items import ItemHistory
from streams.offline.history.output import ROWS_IN_PART, Plan, Written, beside
from streams.offline.history.refused import Refused
from streams.progress import Progress
from streams.settings import Settings
from streams.sources.options import AS_THEY_ARE, SourceOptions
from streams.sources.reading import plain_bytes

_NO_FENCE: Final = (0, 0, 0)


def write_item_history(
    settings: Settings,
    inference: Inference,
    files: Sequence[Path],
    plan: Plan,
    output: Path,
    options: SourceOptions = AS_THEY_ARE,
    refused: Refused | None = None,
    progress: Progress | None = None,
) -> Written:
    """Fold files and write a folder with the parts under `offline_items`.

    The folder appears in full or not at all. Without a row there is none.

    Args:
        settings: decide which events are valid.
        inference: the models; the batcher is started and stopped here.
        files: the history, in the order of arrival.
        plan: the instants.
        output: a folder that is new or empty.
        options: say how the files are read.
        refused: takes what is refused, and says how much may be; by default all may.
        progress: told how far reading and folding are.

    Raises:
        ConfigurationError: the history cannot be read.
        RefusedInputError: more is refused than may be.
        EncoderUnavailableError: the encoder is down.
    """
    output = output.absolute()
    refused = refused or Refused()
    with beside(output, "users", "items", "made") as folders:
        for folder in folders:
            folder.mkdir()
        by_user, by_item, made = folders
        history = History(settings, inference, files, by_user, options, refused, progress, keeps_lives=True)
        items = ItemHistory(history, by_item, plain_bytes(files))
        parts = _Parts(made, inference.encoder)
        instants = asyncio.run(_fold(history, items, inference, plan, parts))
        if parts.rows:
            made.replace(output)
    return Written(
        account=history.account,
        rows=parts.rows,
        rows_with_target=None,
        instants=None if plan.entities else len(instants),
        instants_with_target=None,
        texts_read=history.texts_read,
        titles_read=history.titles_read,
        first_duplicate=refused.places.place(history.first_duplicate),
        facts=items.facts,
        items=items.items,
    )


async def _fold(history: History, items: ItemHistory, inference: Inference, plan: Plan, parts: _Parts) -> Sequence[int]:
    """Fold the history; return the instants of every item."""
    history.gather()
    for item_id, instant in plan.entities:
        items.note(item_id, instant)
    instants = plan.within(history.account)
    await inference.batcher.start()
    try:
        await items.gather()
        async with aclosing(items.all()) as found:
            async for item in found:
                for snapshot in item.snapshots(sorted({*instants, *item.notes})):
                    parts.add(item.item_id, snapshot)
    finally:
        await inference.batcher.stop()
    parts.write()
    return instants


class _Parts:
    """Writes rows in parts."""

    def __init__(self, folder: Path, encoder: str) -> None:
        self._folder = folder / ITEMS_FOLDER
        self._folder.mkdir()
        self._encoder = encoder
        self._waiting: list[ItemRow] = []
        self._written = 0
        self.rows = 0

    def add(self, item_id: str, found: ItemSnapshot) -> None:
        """Take one row."""
        self._waiting.append(row_of(item_id, found, self._encoder))
        self.rows += 1
        if len(self._waiting) == ROWS_IN_PART:
            self.write()

    def write(self) -> None:
        """Write the rows that wait, if there are any."""
        import pyarrow.parquet as pq

        if self._waiting:
            pq.write_table(offline_table(self._waiting, ITEMS), self._folder / f"part-{self._written:05}.parquet")
            self._written += 1
            self._waiting = []


def row_of(item_id: str, found: ItemSnapshot, encoder: str) -> ItemRow:
    """Return the row that would be served."""
    return ItemRow(
        item_id=item_id,
        fence=_NO_FENCE,
        scalars=found.scalars,
        title=found.title,
        category=found.category,
        price=found.price,
        title_vector=found.title_vector.tobytes(),
        encoder=encoder,
        event_time=found.instant,
        revision=found.revision,
    )
