"""Grouping events by user beyond memory: they are spilled to disk by a hash of the user and read back by bucket."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

BUCKET_BYTES: Final = 32 << 20
"""Input bytes of one bucket. Decoded and with its texts read, the one bucket in memory takes several times as much."""

MAX_BUCKETS: Final = 256
"""Files open at once; well below what a process may open."""

_HEAD: Final = struct.Struct("<BI")


class Spill:
    """Frames in the order they were added, divided by user.

    Args:
        folder: an existing folder, which the caller removes.
        input_bytes: the expected size of the input.
    """

    def __init__(self, folder: Path, input_bytes: int) -> None:
        count = min(MAX_BUCKETS, max(1, -(-input_bytes // BUCKET_BYTES)))
        self._paths = [folder / f"bucket-{number:03}" for number in range(count)]
        self._buckets = [path.open("wb") for path in self._paths]

    def add(self, user_id: str, code: int, frame: bytes) -> None:
        """Add a frame of a user; `code` (0..255) names its kind."""
        bucket = self._buckets[zlib.crc32(user_id.encode()) % len(self._buckets)]
        bucket.write(_HEAD.pack(code, len(frame)))
        bucket.write(frame)

    def buckets(self) -> Iterator[Iterator[tuple[int, bytes]]]:
        """Yield the frames of each bucket in the order of adding. No frame can be added afterwards."""
        for bucket in self._buckets:
            bucket.close()
        for path in self._paths:
            yield _frames(path)
            path.unlink()


def _frames(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        while head := file.read(_HEAD.size):
            code, length = _HEAD.unpack(head)
            yield code, file.read(length)
