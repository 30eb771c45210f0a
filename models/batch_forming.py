"""Which of the waiting texts go together: a token budget, little padding, and the oldest text always."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

LOOKAHEAD: Final = 256
"""Texts tokenised ahead of their batch: enough neighbours of like length to pad almost nothing, few enough that
the oldest one never waits long for their tokens."""

_PADDING_DIVISOR: Final = 8
"""The share of a batch that may be padding, one part in 8. On a CPU a pass costs about what 30 tokens cost, so a
long text is better off alone than in the company of many short ones."""


def form_batch(lengths: Sequence[int], token_budget: int) -> list[int]:
    """Choose the next batch: the oldest text, and those nearest to it in length while the budget lasts.

    Args:
        lengths: tokens of each waiting text, the oldest first; at least one.
        token_budget: the most padded tokens, longest x number of texts; a text longer than it goes alone. At
            most an eighth of it is padding.

    Returns:
        Indices into `lengths`, sorted by length; index 0 is always among them.
    """
    by_length = sorted(range(len(lengths)), key=lengths.__getitem__)
    ordered = [lengths[index] for index in by_length]
    low = by_length.index(0)
    high = low + 1
    padding = 0
    while True:
        longest = ordered[high - 1]
        # What the next text costs in padding: a shorter one is padded itself, a longer one pads all the others.
        sides: list[tuple[int, int, int]] = []
        if low > 0:
            sides.append((longest - ordered[low - 1], longest, -1))
        if high < len(ordered):
            sides.append(((ordered[high] - longest) * (high - low), ordered[high], 1))
        most_padding = token_budget // _PADDING_DIVISOR - padding
        sides = [
            (added, longest_then, step)
            for added, longest_then, step in sides
            if longest_then * (high - low + 1) <= token_budget and added <= most_padding
        ]
        if not sides:
            return by_length[low:high]
        added, _, step = min(sides)
        padding += added
        low, high = (low - 1, high) if step < 0 else (low, high + 1)
