"""Judging lines before they are published, so that a file of another kind does not fill the dead letters."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from streams.records.decoder import Decoder
from streams.records.judging import judge
from streams.records.ndjson import RejectedLine
from streams.records.refusals import Refusals, check_share
from streams.records.rejection import Rejection
from streams.sources.arrived import Arrived
from streams.sources.places import Places

FIRST_LINES: Final = 1_000
"""Lines that are judged before any is let through, and the fewest that a verdict on a part of the input rests on."""

FIRST_BYTES: Final = 4 << 20
"""Bytes of these lines that are held at most, so that a few large ones are let through earlier."""


class Admission:
    """Judges lines as a worker will, and lets them through until too many are refused.

    Args:
        decoder: of the deployment.
        max_refused: the share of the lines, 0 to 1, that may be refused.

    Attributes:
        read: lines judged.
        refusals: of those that are refused.
        places: their places.
    """

    def __init__(self, decoder: Decoder, max_refused: float) -> None:
        self._decoder = decoder
        self._max_refused = max_refused
        self.read = 0
        self.refusals = Refusals()
        self.places = Places()

    def admit(self, arrivals: Iterable[Arrived]) -> Iterator[Arrived]:
        """Judge the first lines, and return all lines; the others are judged as they are taken.

        Raises:
            RefusedInputError: too many are refused, here or as the lines are taken, which ends them.
        """
        coming = iter(arrivals)
        first: list[Arrived] = []
        held = 0
        for arrived in coming:
            held += self._judge(arrived)
            first.append(arrived)
            if self.read >= FIRST_LINES or held >= FIRST_BYTES:
                break
        else:
            self._check()
        if self.read >= FIRST_LINES:
            self._check()
        return chain(first, self._others(coming))

    def _others(self, coming: Iterator[Arrived]) -> Iterator[Arrived]:
        for arrived in coming:
            self._judge(arrived)
            if self.read >= FIRST_LINES:
                self._check()
            yield arrived
        self._check()

    def _judge(self, arrived: Arrived) -> int:
        """Judge a line; return the bytes that it holds."""
        record = arrived.record
        # A record that is published now has the Kafka timestamp of now, whatever its file says.
        verdict = judge(self._decoder, record, int(time.time() * 1000))
        self.read += 1
        if isinstance(verdict, Rejection):
            self.refusals.add(verdict.reason, verdict.detail, self.places.position(arrived))
        return len(record.raw if isinstance(record, RejectedLine) else record.value)

    def _check(self) -> None:
        check_share(self.refusals, self.read, self._max_refused)
