"""Refusals of the broker that concern the record itself, so that a repetition is of no use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiokafka.errors import (
    BrokerResponseError,
    InvalidTimestampError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    UnsupportedForMessageFormatError,
    kafka_errors,
)

from streams.exceptions import BrokerError

SIZE_SETTING: Final = "max.message.bytes"
"""The setting of a topic that bounds the stored size of a batch."""


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc]
    """The topic takes no record like this one: a compacted topic, for example, takes none without a key."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker has failed to validate the record."


# aiokafka does not know this code, and would call it an unknown error of the server.
kafka_errors.setdefault(InvalidRecordError.errno, InvalidRecordError)

TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)
REFUSALS: Final = (
    *TOO_LARGE,
    InvalidRecordError,
    InvalidTimestampError,
    PolicyViolationError,
    UnsupportedForMessageFormatError,
)


class RecordRefusedError(BrokerError):
    """A topic will never take these records."""


def refused(topic: str, partition: int, records: int, size: int, refusal: BaseException) -> RecordRefusedError:
    """Return the error to raise for a refusal.

    Args:
        topic: its name on the broker.
        partition: of the topic.
        records: number of records that were refused together.
        size: bytes of their batch.
        refusal: the broker's answer.
    """
    what = "a record" if records == 1 else f"a batch of {records} records"
    found = f"{what} of {size} bytes refused ({type(refusal).__name__})"
    if isinstance(refusal, TOO_LARGE):
        advice = f"raise {SIZE_SETTING} of the topic, which bounds a batch, above {size}"
    else:
        advice = "look at the topic's settings and at the broker's policy"
    return RecordRefusedError(
        f"{topic}-{partition}: expected a topic that takes what it is sent, found {found}: {advice}"
    )


def keep_in_sequence(producer: Any) -> None:
    """Let an idempotent producer go on after a refused batch.

    Each record gets a sequence number when its batch leaves, and the broker takes no record after a gap in the numbers.
    So the numbers of refused records are given to the next records.
    """
    sender = producer._sender
    send = sender._send_produce_req

    async def send_and_take_back(node_id: int, batches: Mapping[Any, Any]) -> None:
        await send(node_id, batches)
        if sender._txn_manager is None:
            return
        # No later batch has numbers yet: a partition has one batch under way, and nothing was awaited since the answer.
        for tp, batch in batches.items():
            if batch.future.done() and isinstance(batch.future.exception(), REFUSALS):
                sender._txn_manager._sequence_numbers[tp] -= batch.record_count

    sender._send_produce_req = send_and_take_back
