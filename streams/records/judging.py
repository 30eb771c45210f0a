"""The verdict on a line of a file: that of a worker on its record, before it is one."""

from __future__ import annotations

from streams.records.decoder import Decoded, Decoder
from streams.records.ndjson import Record, RejectedLine


def judge(decoder: Decoder, record: Record | RejectedLine, arrived_ms: int) -> Decoded:
    """Return the event, or the first reason why there is none.

    Args:
        decoder: of the deployment.
        record: of the line, or its rejection.
        arrived_ms: the Kafka timestamp that the record has or would have, in epoch milliseconds.
    """
    if isinstance(record, RejectedLine):
        return record.rejection
    return decoder.decode(record.topic, record.key, record.value, arrived_ms)
