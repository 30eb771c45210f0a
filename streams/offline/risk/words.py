"""The real texts of the trial: those that the head of polarity was not fitted to, with what it makes of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.sentiment.head import PolarityHead
from streams.offline.risk.campaigns import Texts
from streams.offline.risk.traffic import Said
from streams.offline.sentiment.pairs import HELD_OUT, Pair, gather, share_of

MOST_TEXTS: Final = 400
"""Texts of a language that praise, and that complain."""

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


class Words(NamedTuple):
    """Texts by language.

    Attributes:
        said: of each language, those that praise by True and those that complain.
        subjects: what each text speaks of, in the order of `said`, praise first.
    """

    said: dict[str, Texts]
    subjects: dict[str, list[str]]


def words(pairs: Iterable[Pair], embed: Embed, head: PolarityHead, rng: random.Random) -> Words:
    """Choose texts at random among those held out, and read them.

    Args:
        pairs: all that there are, as they were written.
        embed: gives the embeddings of texts: float32 [n, width].
        head: that was fitted to the others.
        rng: draws.
    """
    found = Words({}, {})
    held_out = [pair for pair in pairs if share_of(pair.group) < HELD_OUT]
    for language in sorted({pair.corpus for pair in held_out}):
        drawn: list[Pair] = []
        for praises in (True, False):
            one = [pair for pair in held_out if (pair.corpus, pair.positive) == (language, praises)]
            drawn += rng.sample(one, min(MOST_TEXTS, len(one)))
        # Cleaning takes longer than all else: only those drawn are cleaned, and some of them fall out.
        chosen = sorted(gather(drawn).pairs, key=lambda pair: not pair.positive)
        polarities = head.polarity(embed([pair.text for pair in chosen]))
        said = [
            Said(pair.text, pair.positive, float(polarity)) for pair, polarity in zip(chosen, polarities, strict=True)
        ]
        found.said[language] = {
            praises: [each for each in said if each.praises == praises] for praises in (True, False)
        }
        found.subjects[language] = [pair.group for pair in chosen]
    return found
