"""The log of what was served: the rows that the online store took, of a sample of users or items, as Parquet parts.

The log never delays or fails the flow. Rows wait in a bounded queue for the log's own thread. Rows that do not fit into
the queue, or that the disk does not take, are dropped and counted.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from features.offline_parquet import view_table
from features.online.rows import Row
from features.online.user_views import USERS
from features.online.views import Serving
from streams.exceptions import ConfigurationError
from streams.log import log
from streams.telemetry.metrics import Metrics

EMITTED_AT: Final = "emitted_at"
"""A column of the log beside those of the views: the worker's wall clock, ms."""

SHARE: Final = b"served_log_share"
"""The entry in a part's metadata that holds the share of users sampled."""

PART_SUFFIX: Final = ".parquet"
ITEMS_FOLDER: Final = "items"
"""Where in the folder of the log the rows of items are."""

ROWS_IN_PART: Final = 10_000
SECONDS_IN_PART: Final = 60.0
"""How long a part stays open, s. A crash loses at most the rows of the open part."""

WAITING_BATCHES: Final = 64
"""How many writes to the online store may wait with their rows: about 30 MB at the largest batches."""

STOP_S: Final = 3.0
"""How long writing the last part may take, s. A disk that hangs must not keep a worker from ending."""


def is_sampled(key: str, share: float) -> bool:
    """Tell whether a user or an item is in a share (0..1) of all.

    Every worker agrees; a larger share includes a smaller one.
    """
    return int.from_bytes(blake2b(key.encode(), digest_size=8, person=b"served-log").digest()) < share * 2.0**64


class ServedLog:
    """Writes the log of one worker.

    Args:
        folder: made if missing; workers may share it.
        share: of users or items, 0..1.
        metrics: told of rows written and dropped.
        serving: of the entity whose rows these are.
        rows_in_part, seconds_in_part: when a part is closed.

    Raises:
        ConfigurationError: the folder cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        share: float,
        metrics: Metrics,
        serving: Serving[Any] = USERS,
        *,
        rows_in_part: int = ROWS_IN_PART,
        seconds_in_part: float = SECONDS_IN_PART,
    ) -> None:
        # Imported while the worker starts: an import in the middle of the flow would delay every other thread.
        import pyarrow.parquet  # noqa: F401

        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"WHEREWITHAL_SERVED_LOG: expected a folder that can be made at {folder}, found {error.strerror}"
            ) from error
        self._folder = folder
        self._share = share
        self._metrics = metrics
        self._serving = serving
        self._rows_in_part = rows_in_part
        self._seconds_in_part = seconds_in_part
        self._waiting: queue.Queue[list[Row] | None] = queue.Queue(WAITING_BATCHES)
        self._name = uuid4().hex[:12]
        self._parts = 0
        self._failing = False
        # A daemon: a disk that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="served-log", daemon=True)
        self._thread.start()

    def take(self, rows: Sequence[Row]) -> None:
        """Log rows that the online store took. It may be called from any thread, and returns at once."""
        if sampled := [row for row in rows if is_sampled(row.key, self._share)]:
            try:
                self._waiting.put_nowait(sampled)
            except queue.Full:
                self._drop(len(sampled), "more rows are served than the disk takes")

    def stop(self) -> None:
        """Write the open part and end; a disk that hangs is given up."""
        try:
            self._waiting.put(None, timeout=STOP_S)
        except queue.Full:
            log.warning("the log of what was served did not end in time", folder=str(self._folder))
            return
        self._thread.join(STOP_S)

    def _run(self) -> None:
        rows: list[Row] = []
        due = 0.0
        while True:
            try:
                taken = self._waiting.get(timeout=max(0.0, due - time.monotonic()) if rows else None)
            except queue.Empty:
                taken = []
            if not rows:
                due = time.monotonic() + self._seconds_in_part
            rows += taken or ()
            if rows and (taken is None or len(rows) >= self._rows_in_part or time.monotonic() >= due):
                self._write(rows)
                rows = []
            if taken is None:
                return

    def _write(self, rows: Sequence[Row]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._parts += 1
        part = self._folder / f"part-{self._name}-{self._parts:06}{PART_SUFFIX}"
        unfinished = part.with_suffix(".unfinished")
        try:
            pq.write_table(self._table(rows), unfinished)
            unfinished.replace(part)
        except (OSError, pa.ArrowException) as error:
            _remove(unfinished)
            # The error's own text is left out, because it may quote values.
            self._drop(len(rows), f"a part could not be written ({type(error).__name__})")
            return
        self._metrics.served_log_rows.inc(len(rows))
        if self._failing:
            log.info("the log of what was served goes on", folder=str(self._folder))
            self._failing = False

    def _table(self, rows: Sequence[Row]) -> Any:
        import pyarrow as pa

        table = view_table(rows, self._serving)
        table = table.append_column(EMITTED_AT, pa.array([row.fence[2] for row in rows], pa.int64()))
        return table.replace_schema_metadata({SHARE: repr(self._share).encode()})

    def _drop(self, rows: int, why: str) -> None:
        self._metrics.served_log_dropped.inc(rows)
        if not self._failing:
            self._failing = True
            log.error("rows are missing from the log of what was served", folder=str(self._folder), why=why)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("an unfinished part stays behind", path=str(path), why=error.strerror)
