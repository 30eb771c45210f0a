"""The newest row of each key of a compacted log, kept on disk: a log may hold more of them than memory does."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from aiokafka import ConsumerRecord
from rocksdb import DB, BlockBasedTableFactory, BloomFilterPolicy, LRUCache, Options, WriteBatch
from rocksdb.errors import Error

from features.exceptions import FeaturesError
from streams.exceptions import LocalStateError, StateMismatchError
from streams.operating.repartitioning.tables import Table

_WRITE_BUFFER: Final = 32 << 20
_CACHE: Final = 64 << 20
_BLOOM_BITS: Final = 10


class Newest:
    """What a reader of a log from its beginning knows at the end.

    Args:
        database: empty.
        table: what the log holds.

    Attributes:
        count: keys with a row.
        highest: the greatest rank of any row that was ever taken in.
    """

    def __init__(self, database: Any, table: Table) -> None:
        self._database = database
        self._table = table
        self.count = 0
        self.highest: tuple[int, ...] = (0,)

    def take(self, records: Iterable[ConsumerRecord]) -> None:
        """Take in records of one partition, in the order of their offsets.

        Raises:
            StateMismatchError: one is none that this release can read.
            LocalStateError: the disk refuses.
        """
        found: dict[bytes, bytes | None] = {}
        with _on_disk():
            for record in records:
                try:
                    self._take(record, found)
                except FeaturesError as error:
                    raise StateMismatchError(
                        f"{record.topic}-{record.partition}, offset {record.offset}: {error}"
                    ) from error
            self._write(found)

    def _take(self, record: ConsumerRecord, found: dict[bytes, bytes | None]) -> None:
        key, value = record.key, record.value
        if value is None and not self._table.forgets:
            return
        known = found[key] if key in found else self._database.get(key)
        if value is None:
            found[key] = None
            self.count -= known is not None
            return
        rank = self._table.rank(value)
        if rank is None:
            return
        self.highest = max(self.highest, rank)
        # Of a tie the later record is taken, as a worker takes it.
        if known is None or rank >= (self._table.rank(known) or ()):
            found[key] = value
            self.count += known is None

    def _write(self, found: dict[bytes, bytes | None]) -> None:
        batch = WriteBatch()
        for key, value in found.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        # It is of no use to another run.
        self._database.write(batch, disable_wal=True)

    def rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield each user's key and newest row.

        Raises:
            LocalStateError: the disk refuses.
        """
        items = self._database.iteritems()
        with _on_disk():
            items.seek_to_first()
            yield from items


@contextmanager
def newest_of(table: Table) -> Iterator[Newest]:
    """Give an empty store in the folder for temporary files, which is removed in the end.

    Raises:
        LocalStateError: there is no room for it.
    """
    with _on_disk():
        folder = Path(tempfile.mkdtemp(prefix="wherewithal-"))
    try:
        with _on_disk():
            database = DB(str(folder / "newest"), _options())
        yield Newest(database, table)
        database.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _options() -> Options:
    return Options(
        create_if_missing=True,
        write_buffer_size=_WRITE_BUFFER,
        table_factory=BlockBasedTableFactory(
            filter_policy=BloomFilterPolicy(_BLOOM_BITS), block_cache=LRUCache(_CACHE)
        ),
    )


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except (Error, OSError) as error:
        raise LocalStateError(
            f"expected room for one row of each user in {tempfile.gettempdir()}, found {_words(error)}: make some "
            "there, or set TMPDIR to a folder on another disk, and run it again"
        ) from error


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    found = error.args[0] if error.args else type(error).__name__
    text = found.decode(errors="replace") if isinstance(found, bytes) else str(found)
    # RocksDB tells first where it was, the system's own words come last.
    return text.rpartition(": ")[2]
