"""The gate of a source: nothing of it is sent before its first records are judged, nor once too many are refused."""

from __future__ import annotations

import asyncio
from typing import Final

from streams.exceptions import RefusedInputError
from streams.records.refusals import Refusals
from streams.records.rejection import Rejection

FIRST_RECORDS: Final = 1_000
"""Records that are judged before any is sent, and those that each later verdict rests on."""

FIRST_BYTES: Final = 4 << 20
"""Bytes of these records at the most, so that a few large ones are let through earlier."""

FIRST_S: Final = 3.0
"""How long the first records wait for others, s: a quiet topic must not keep its events back."""

FEWEST: Final = 20
"""The fewest records that a verdict rests on where no more have come in that time."""

SHOWN: Final = 3
"""Reasons that the error names."""


class Gate:
    """Judges the records of one source, those of all its partitions together.

    Args:
        topic: the source's name on the broker.
        max_refused: the share of its records, 0 to 1, that may be refused.

    Attributes:
        opened: set once its events may be sent.
    """

    def __init__(self, topic: str, max_refused: float) -> None:
        self._topic = topic
        self._max_refused = max_refused
        self._read = 0
        self._bytes = 0
        self._refusals = Refusals()
        self.opened = asyncio.Event()

    @property
    def judged(self) -> int:
        """Records of the stretch that is judged now."""
        return self._read

    def judge(self, rejection: Rejection | None, partition: int, offset: int, size: int) -> None:
        """Take the verdict on a record.

        Args:
            rejection: why it, or a part of it, is refused; None if nothing of it is.
            partition: of the record.
            offset: of the record.
            size: bytes of its value.

        Raises:
            RefusedInputError: too many are refused.
        """
        self._read += 1
        self._bytes += size
        if rejection is not None:
            self._refusals.add(rejection.reason.value, rejection.detail, (partition, offset))
        if self._read >= FIRST_RECORDS or (self._bytes >= FIRST_BYTES and not self.opened.is_set()):
            self._conclude()
        elif self.opened.is_set() and self._refusals.total > self._max_refused * FIRST_RECORDS:
            # Whatever the rest of the stretch is.
            raise self._error()

    def expire(self) -> None:
        """Let the first records wait no longer.

        Raises:
            RefusedInputError: too many are refused, of enough to tell.
        """
        if not self.opened.is_set():
            if self._read >= FEWEST:
                self._conclude()
            self.opened.set()

    def _conclude(self) -> None:
        """Judge a stretch, and begin the next one."""
        if self._refusals.total / self._read > self._max_refused:
            raise self._error()
        self._read = self._bytes = 0
        self._refusals = Refusals()
        self.opened.set()

    def _error(self) -> RefusedInputError:
        kinds = [
            f"{kind.count:,} x {kind.reason}: {kind.detail} (the first at partition {kind.first[0]}, offset "
            f"{kind.first[1]})"
            for kind in list(self._refusals)[:SHOWN]
            if kind.first is not None
        ]
        others = f"; and {len(self._refusals) - SHOWN:,} more kinds" if len(self._refusals) > SHOWN else ""
        which = "latest" if self.opened.is_set() else "first"
        return RefusedInputError(
            f"expected at most {self._max_refused:.12g} of the records of {self._topic!r} refused "
            f"(WHEREWITHAL_REKEY_MAX_REFUSED), found {self._refusals.total:,} of the {which} {self._read:,}: "
            f"{'; '.join(kinds)}{others}: set WHEREWITHAL_REKEY_FORMAT to the shape of the topic, "
            "WHEREWITHAL_CURRENCY to its currency, mend its producer, or raise the share"
        )
