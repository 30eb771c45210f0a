"""Buckets: the few shapes that passes on a GPU have, and how texts are cut into parts that fit them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

ROWS: Final = 16_384
"""The most tokens of a pass: bert-base then computes for some milliseconds, long enough to lay out the next batch,
and takes less than 1 GB for what lies between its layers."""
_LEAST_ROWS: Final = 256
_ROWS_PER_TEXT: Final = 16
"""How many rows a bucket has for each text it has room for. Every place costs attention a little, filled or not; a
batch of shorter texts takes the next bucket."""
_SHORT: Final = 128
"""Attention works on blocks of so many tokens: a bucket of texts that fit in one is spared the look for more."""


class Bucket(NamedTuple):
    """A shape of a pass.

    Attributes:
        rows: the most tokens.
        longest: the most tokens of one text.
        texts: the most texts.
    """

    rows: int
    longest: int
    texts: int

    @property
    def size(self) -> int:
        """How many numbers a layout has: where each text starts, where the last one ends, and the token ids."""
        return self.texts + 1 + self.rows


Attend: TypeAlias = "Callable[[Tensor, Tensor, Tensor, Tensor, int], Tensor]"
"""From scaled queries, keys and values, [rows, heads, width / heads] each, int32[texts + 1] of starts and the most
tokens of a text, to [rows, heads, width / heads]; what rows of no text get does not matter."""


class Passes(Protocol):
    """Runs passes on the device; may be called by several threads at once."""

    def run(self, bucket: Bucket, layout: NDArray[np.int32], texts: int) -> NDArray[np.float32]:
        """Return float32[texts, width], the means of a layout int32[bucket.size]."""
        ...

    def warm_up(self, buckets: Sequence[Bucket]) -> None:
        """Prepare passes of these shapes."""
        ...


def buckets(rows: int, longest: int) -> list[Bucket]:
    """Return the shapes for passes of at most `rows` tokens and texts of at most `longest`, the smallest first."""
    heights = {rows}
    for power in range(rows.bit_length()):
        heights |= {height for height in (_LEAST_ROWS << power, _LEAST_ROWS * 3 // 2 << power) if height < rows}
    return [
        Bucket(height, most, max(1, height // _ROWS_PER_TEXT))
        for height in sorted(heights)
        for most in sorted({min(_SHORT, longest), longest})
    ]


def fits(bucket: Bucket, lengths: NDArray[np.int64]) -> bool:
    """Return whether texts of these lengths fit into a pass of that shape."""
    return bool(len(lengths) <= bucket.texts and lengths.sum() <= bucket.rows and lengths.max() <= bucket.longest)


def parts(lengths: NDArray[np.int64], largest: Bucket) -> Iterator[slice]:
    """Cut texts, in their order, into parts that fit the largest bucket."""
    first, tokens = 0, 0
    for index, length in enumerate(lengths.tolist()):
        if tokens + length > largest.rows or index - first == largest.texts:
            yield slice(first, index)
            first, tokens = index, 0
        tokens += length
    yield slice(first, len(lengths))
