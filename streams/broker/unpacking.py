"""Unpacking compressed batches within a bound, because a few kilobytes in the log may unpack to gigabytes.

A batch that unpacks to more, or that cannot be unpacked although its checksum is right, does so at every fetch. Its
records are withheld: each offset is delivered without its bytes, and then refused like any bad record.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import cramjam
from aiokafka import codec
from aiokafka.errors import CorruptRecordException
from aiokafka.record._crecords import default_records as batches

from streams.exceptions import StreamsError
from streams.records.withheld import Why, Withheld

FIRST_BYTES: Final = 1 << 16
GROWTH: Final = 4
"""The factor by which a buffer of unknown size grows; at most a third of the work is then done in vain."""


class UnpackedTooLargeError(StreamsError, ValueError):
    """A batch unpacks to more than the bound."""


@dataclass(frozen=True, slots=True)
class WithheldRecord:
    """A record of a batch that is not unpacked, with the attributes of aiokafka's records."""

    offset: int
    timestamp: int
    timestamp_type: int
    value: Withheld
    key: None = None
    checksum: None = None
    headers: tuple[()] = ()


class BoundedRecords:
    """The batches of a fetch in aiokafka's interface, each unpacked within a bound.

    Args:
        records: the batches as aiokafka has them.
        most: bytes that a batch may unpack to.
    """

    def __init__(self, records: Any, most: int) -> None:
        self._records = records
        self._most = most

    def has_next(self) -> bool:
        """Whether there is another batch."""
        return bool(self._records.has_next())

    def next_batch(self) -> Any:
        """Return the next batch, still packed."""
        return _BoundedBatch(self._records.next_batch(), self._most)


class _BoundedBatch:
    """A batch that is unpacked when its records are first read."""

    def __init__(self, batch: Any, most: int) -> None:
        self._batch = batch
        self._most = most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        batch = self._batch
        offset = batch.base_offset
        try:
            with _bound(self._most):
                records = iter(batch)
            for record in records:
                offset = record.offset + 1
                yield record
            return
        except UnpackedTooLargeError:
            why = Why.TOO_LARGE
        except _DAMAGES:
            why = Why.UNREADABLE
        value = Withheld.because(why)
        for withheld in range(offset, batch.next_offset):
            yield WithheldRecord(withheld, batch.max_timestamp, batch.timestamp_type, value)

    def __next__(self) -> Any:
        return next(self._batch)


# To the broker the name of a header is any bytes; to aiokafka it is text.
_DAMAGES: Final = (CorruptRecordException, EOFError, UnicodeDecodeError, zlib.error, cramjam.DecompressionError)


class _Bound(threading.local):
    """The bound for the batch that this thread unpacks now; None outside of the worker's consumers."""

    most: int | None = None


_now: Final = _Bound()


@contextmanager
def _bound(most: int) -> Iterator[None]:
    _now.most = most
    try:
        yield
    finally:
        _now.most = None


def _gzip(packed: Any, most: int) -> Any:
    unpacked = bytearray()
    rest = bytes(packed)
    while rest:
        # 16: with the header and the checksum of gzip.
        stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        unpacked += stream.decompress(rest, most - len(unpacked) + 1)
        if len(unpacked) > most:
            raise _too_large(most)
        if not stream.eof:
            raise EOFError
        # A stream may have several members, and zeros behind them.
        rest = stream.unused_data.lstrip(b"\0")
    return unpacked


def _snappy(packed: Any, most: int) -> Any:
    data = memoryview(packed)
    blocks = _snappy_blocks(data) if codec._detect_xerial_stream(data) else [data]
    # Every block begins with its unpacked size.
    if sum(cramjam.snappy.decompress_raw_len(block) for block in blocks) > most:
        raise _too_large(most)
    return _snappy_decode(packed)


def _snappy_blocks(data: memoryview) -> list[memoryview]:
    blocks, start = [], 16
    while start < len(data):
        end = start + 4 + int.from_bytes(data[start : start + 4], "big")
        blocks.append(data[start + 4 : end])
        start = end
    return blocks


def _frames(decompress_into: Callable[[Any, bytearray], int]) -> Callable[[Any, int], Any]:
    """Return a function that unpacks frames which need not hold their unpacked size."""

    def unpack(packed: Any, most: int) -> Any:
        size = max(FIRST_BYTES, GROWTH * len(packed))
        while True:
            unpacked = bytearray(min(size, most))
            try:
                length = decompress_into(packed, unpacked)
            except cramjam.DecompressionError as error:
                if _FULL not in str(error):
                    raise
                if size >= most:
                    raise _too_large(most) from None
                size *= GROWTH
            else:
                del unpacked[length:]
                return unpacked

    return unpack


_FULL: Final = "failed to write whole buffer"


def _too_large(most: int) -> UnpackedTooLargeError:
    return UnpackedTooLargeError(f"batch: expected at most {most} bytes unpacked, found more")


def _within_bounds(decode: Callable[[Any], Any], unpack: Callable[[Any, int], Any]) -> Callable[[Any], Any]:
    def bounded(packed: Any) -> Any:
        most = _now.most
        return decode(packed) if most is None else unpack(packed, most)

    return bounded


_snappy_decode: Final = batches.snappy_decode
# aiokafka unpacks by functions that its module of batches looks up by name. Replacing them is the only way in.
batches.gzip_decode = _within_bounds(batches.gzip_decode, _gzip)
batches.snappy_decode = _within_bounds(batches.snappy_decode, _snappy)
batches.lz4_decode = _within_bounds(batches.lz4_decode, _frames(cramjam.lz4.decompress_into))
batches.zstd_decode = _within_bounds(batches.zstd_decode, _frames(cramjam.zstd.decompress_into))
