"""The partitions of many keys at once, for a recovery: key by key they would cost a third of its time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.records.placement import check_state

_SEED: Final = 0x9747B28C
_MULTIPLIER: Final = np.uint32(0x5BD1E995)
_SHIFT: Final = np.uint32(24)
_SHIFTS_AT_END: Final = np.uint32(13), np.uint32(15)
_WORD: Final = 4


def check_states(keys: Sequence[bytes], number: int, partitions: int, changelog: str) -> None:
    """Check that states read from the changelog lie in the partition of their users.

    Args:
        keys: the states' keys.
        number: the partition that the states were found in.
        partitions: the number of partitions.
        changelog: names the topic in the message.

    Raises:
        MisplacedKeyError: a key belongs in another partition; the first such key is told.
    """
    for place in np.flatnonzero(partitions_of_keys(keys, partitions) != number).tolist():
        check_state(keys[place], number, partitions, changelog)


def partitions_of_keys(keys: Sequence[bytes], partitions: int) -> NDArray[np.uint32]:
    """Return the partition of each key, as `streams.records.placement.partition_of_key` finds it.

    Returns:
        Partition numbers, of the length of `keys`.
    """
    by_size: defaultdict[int, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        by_size[len(key)].append(place)
    digests = np.empty(len(keys), np.uint32)
    for size, places in by_size.items():
        joined = b"".join([keys[place] for place in places])
        digests[places] = _murmur2(np.frombuffer(joined, np.uint8).reshape(len(places), size))
    return (digests & np.uint32(0x7FFFFFFF)) % np.uint32(partitions)


def _murmur2(keys: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return the digests of keys of one size; products of unsigned 32 bits wrap, as the function wants it."""
    count, size = keys.shape
    digest: NDArray[np.uint32] = np.full(count, _SEED ^ size, np.uint32)
    whole = size - size % _WORD
    # Laid out word by word, so that each step goes through memory in its order.
    words = np.ascontiguousarray(keys[:, :whole]).view("<u4").T.astype(np.uint32, order="C")
    for word in words:
        mixed = word * _MULTIPLIER
        digest = digest * _MULTIPLIER ^ (mixed ^ mixed >> _SHIFT) * _MULTIPLIER
    if whole < size:
        tail = np.zeros((count, _WORD), np.uint8)
        tail[:, : size - whole] = keys[:, whole:]
        digest = (digest ^ tail.view("<u4")[:, 0]) * _MULTIPLIER
    digest = (digest ^ digest >> _SHIFTS_AT_END[0]) * _MULTIPLIER
    return digest ^ digest >> _SHIFTS_AT_END[1]
