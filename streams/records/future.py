"""Whether an event lies too far ahead of its record: the one place where `future` is decided."""

from __future__ import annotations

from streams.records.events import LATEST_MS


def is_future(timestamp: int, arrived: int, tolerance: int) -> bool:
    """Tell whether an event is `future`.

    The record's Kafka timestamp decides, not the clock of the reader, so the verdict is the same at every delivery.

    Args:
        timestamp: of the event, in epoch milliseconds.
        arrived: the Kafka timestamp of its record, in epoch milliseconds. A producer may set it to any 64 bits: an
            event after the year 9999 is future whatever this says.
        tolerance: how far the event may be ahead of its record, in milliseconds.
    """
    return timestamp > arrived + tolerance or timestamp > LATEST_MS
