"""Which of the waiting texts go together: a token budget, little padding, and the oldest text always.

An encoder that is `packed` lays texts end to end, and a pass costs it their tokens; any other pads them to the
longest, and a pass costs it that x their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

LOOKAHEAD: Final = 256
"""Texts tokenised ahead of their batch: enough neighbours of like length to pad almost nothing, few enough that
the oldest one never waits long for their tokens."""

_PADDING_DIVISOR: Final = 8
"""The share of a batch that may be padding, one part in 8. On a CPU a pass costs about what 30 tokens cost, so a
long text is better off alone than in the company of many short ones."""


def batch_cost(lengths: Sequence[int], *, packed: bool) -> int:
    """Return the tokens that a pass over texts computes, given the tokens of each; at least one text."""
    return sum(lengths) if packed else max(lengths) * len(lengths)


def form_batch(lengths: Sequence[int], token_budget: int, *, packed: bool = False) -> list[int]:
    """Choose the next batch: the oldest text, and those nearest to it in length while the budget lasts.

    Args:
        lengths: tokens of each waiting text, the oldest first; at least one.
        token_budget: the most a batch may cost, by `batch_cost`; a text longer than it goes alone. Where texts are
            padded, at most an eighth of it is padding.
        packed: of the encoder.

    Returns:
        Indices into `lengths`, sorted by length; index 0 is always among them.
    """
    by_length = sorted(range(len(lengths)), key=lengths.__getitem__)
    ordered = [lengths[index] for index in by_length]
    low = by_length.index(0)
    high = low + 1
    tokens = lengths[0]
    while True:
        sides: list[tuple[int, int, int]] = []
        for index, step in ((low - 1, -1), (high, 1)):
            if not 0 <= index < len(ordered):
                continue
            tokens_then = tokens + ordered[index]
            padded = max(ordered[index], ordered[high - 1]) * (high - low + 1)
            padding = padded - tokens_then
            if packed and tokens_then <= token_budget:
                sides.append((abs(ordered[index] - lengths[0]), tokens_then, step))
            elif not packed and padded <= token_budget and padding <= token_budget // _PADDING_DIVISOR:
                sides.append((padding, tokens_then, step))
        if not sides:
            return by_length[low:high]
        _, tokens, step = min(sides)
        low, high = (low - 1, high) if step < 0 else (low, high + 1)
