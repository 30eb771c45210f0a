"""Texts to learn from and texts to be judged on, which have neither a group nor nearly a text in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.libraries import library
from streams.offline.sentiment.pairs import HELD_OUT, Pair, letters, share_of

ALIKE: Final = 0.7
"""Cosine of the sets of four letters in a row from which two texts are nearly the same."""

_RUN: Final = 4
_AT_ONCE: Final = 512
"""Texts compared with all others at once: their similarities take some megabytes."""


class Split(NamedTuple):
    """The two parts.

    Attributes:
        train: pairs to learn from.
        unseen: pairs of the groups that are held out.
        alike: texts that neither part has, because one that is held out is nearly the same.
    """

    train: list[Pair]
    unseen: list[Pair]
    alike: int


def split(pairs: Sequence[Pair]) -> Split:
    """Hold out groups by their names, the same for ever, and leave out texts nearly like those of a held-out group.

    Raises:
        MissingLibraryError: scikit-learn is not installed.
    """
    unseen = [pair for pair in pairs if share_of(pair.group) < HELD_OUT]
    others = [pair for pair in pairs if share_of(pair.group) >= HELD_OUT]
    alike = nearly_in([pair.text for pair in others], [pair.text for pair in unseen])
    train = [pair for pair, left_out in zip(others, alike.tolist(), strict=True) if not left_out]
    return Split(train, unseen, int(alike.sum()))


def nearly_in(texts: Sequence[str], known: Sequence[str]) -> NDArray[np.bool_]:
    """Tell which texts are nearly the same as one of some known texts: bool [n].

    Texts shorter than four letters are like none: they have no four letters in a row.

    Raises:
        MissingLibraryError: scikit-learn is not installed.
    """
    found = np.zeros(len(texts), bool)
    if not len(texts) or not len(known):
        return found
    vectorizer = library("sklearn.feature_extraction.text").HashingVectorizer(
        analyzer="char", ngram_range=(_RUN, _RUN), preprocessor=letters, binary=True, norm="l2", alternate_sign=False
    )
    others = vectorizer.transform(known).T.tocsr()
    for begin in range(0, len(texts), _AT_ONCE):
        similar = vectorizer.transform(texts[begin : begin + _AT_ONCE]) @ others
        found[begin : begin + _AT_ONCE] = similar.max(axis=1).toarray().ravel() >= ALIKE
    return found
