"""The partition that a key belongs in, and the errors for a key found in another.

The state of a user lies in one partition. If the records of one user come in two partitions, the user gets two states,
each with a part of the events, and both are published. Nobody would notice, so the records are refused.
"""

from __future__ import annotations

from struct import unpack_from
from typing import Final

from streams.exceptions import StateMismatchError

START_OVER: Final = (
    "start over behind a new WHEREWITHAL_TOPIC_PREFIX with a new WHEREWITHAL_STATE_DIR, and copy the input there by "
    "key (docs/operating.md, More partitions)"
)
"""The only way on once users lie in wrong partitions: Kafka neither removes partitions nor moves records."""

_SEED: Final = 0x9747B28C
_MULTIPLIER: Final = 0x5BD1E995
_WORD: Final = 0xFFFFFFFF


class MisplacedKeyError(StateMismatchError):
    """A key was found in a partition that is not its own."""


def murmur2(data: bytes) -> int:
    """Return the 32-bit MurmurHash2 of Kafka's Java clients. It takes a third of the time of aiokafka's function.

    Source: `org.apache.kafka.common.utils.Utils.murmur2`.
    """
    size = len(data)
    words = size >> 2
    digest = _SEED ^ size
    for word in unpack_from(f"<{words}I", data):
        word = word * _MULTIPLIER & _WORD
        digest = (digest * _MULTIPLIER ^ (word ^ word >> 24) * _MULTIPLIER) & _WORD
    if size & 3:
        digest = (digest ^ int.from_bytes(data[words << 2 :], "little")) * _MULTIPLIER & _WORD
    digest = (digest ^ digest >> 13) * _MULTIPLIER & _WORD
    return digest ^ digest >> 15


def partition_of_key(key: bytes, partitions: int) -> int:
    """Return the partition that Kafka's own clients put a key in."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def check_record(key: bytes, number: int, partitions: int, place: str) -> None:
    """Check that a record of the input lies in the partition of its key.

    Args:
        key: the record's key.
        number: the partition that the record was found in.
        partitions: the number of partitions.
        place: names the record in the message.

    Raises:
        MisplacedKeyError: the key belongs in another partition.
    """
    expected = partition_of_key(key, partitions)
    if expected != number:
        raise MisplacedKeyError(
            f"{place}: expected a key of partition {number} of {partitions} by murmur2, as Kafka's own clients place "
            f"it, found one of partition {expected}: its producer places keys otherwise (librdkafka: set "
            f"partitioner=murmur2_random), or partitions were added; mend the producer, then {START_OVER}"
        )


def check_state(key: bytes, number: int, partitions: int, changelog: str) -> None:
    """Check that a state read from the changelog lies in the partition of its key.

    Args:
        key: the state's key.
        number: the partition that the state was found in.
        partitions: the number of partitions.
        changelog: names the topic in the message.

    Raises:
        MisplacedKeyError: the key belongs in another partition.
    """
    expected = partition_of_key(key, partitions)
    if expected != number:
        raise MisplacedKeyError(
            f"{changelog}-{number}: expected states of keys of partition {number} of {partitions}, found one of "
            f"partition {expected}: partitions were added after it was written, or its producer did not place keys "
            f"by murmur2; {START_OVER}"
        )


def added_partitions(found: dict[str, int], known: int, where: str) -> StateMismatchError:
    """Return the error to raise for topics that have more partitions than the state.

    Args:
        found: the number of partitions of each topic whose number differs.
        known: the number of partitions of the state.
        where: the place in which the state's number is kept.
    """
    listed = ", ".join(f"{name} {count}" for name, count in sorted(found.items()))
    return StateMismatchError(
        f"expected {known} partitions, as {where} has, found {listed}: partitions were added, so keys are looked for "
        f"where their state is not, and Kafka takes none away; {START_OVER}"
    )
