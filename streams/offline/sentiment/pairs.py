"""Texts whose polarity is known, as the head of polarity learns from them and is judged on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from models.text.cleaning import clean
from models.text.noise import is_noisy

HELD_OUT: Final = 0.2
"""Share of the groups, at random by their name, that no head is fitted to before it is judged on them."""

_FOLDS: Final = 1 << 32


class Pair(NamedTuple):
    """A text and whether it praises.

    Attributes:
        text: cleaned, as the encoder gets it.
        positive: whether it praises; else it complains.
        group: what other texts it shares a fate with, such as the film or the item that is spoken of: a group is held
            out as a whole, so that its name cannot give the answer away.
        corpus: where it comes from, by which measures are told apart.
    """

    text: str
    positive: bool
    group: str
    corpus: str


class Gathered(NamedTuple):
    """Pairs that can be used, and why others cannot.

    Attributes:
        pairs: each text once, by its letters and digits, whatever its case, spaces and punctuation.
        noisy: texts left out as a worker leaves them out: noisy, or empty after cleaning.
        repeated: texts left out because the same stands among the pairs.
        disputed: texts left out because the same is said with praise and with complaint.
    """

    pairs: list[Pair]
    noisy: int
    repeated: int
    disputed: int


def gather(found: Iterable[Pair]) -> Gathered:
    """Clean texts, and keep each that a worker would read once.

    Args:
        found: pairs of texts as they were written.
    """
    kept: dict[str, Pair] = {}
    both: set[str] = set()
    noisy = repeated = 0
    for pair in found:
        text = "" if is_noisy(pair.text) else clean(pair.text)
        if not (key := letters(text)):
            noisy += 1
        elif key in kept:
            repeated += 1
            if kept[key].positive != pair.positive:
                both.add(key)
        else:
            kept[key] = pair._replace(text=text)
    pairs = [pair for key, pair in kept.items() if key not in both]
    return Gathered(pairs, noisy, repeated, len(both))


def sample(pairs: Sequence[Pair], most: int) -> list[Pair]:
    """Return at most so many pairs of each corpus, drawn by a hash of the text: the same for ever."""
    chosen: list[Pair] = []
    for corpus in dict.fromkeys(pair.corpus for pair in pairs):
        of_corpus = [pair for pair in pairs if pair.corpus == corpus]
        chosen += sorted(of_corpus, key=lambda pair: sha256(pair.text.encode()).digest())[:most]
    return chosen


def letters(text: str) -> str:
    """Return a text without all but its letters and digits, in lower case."""
    return "".join(filter(str.isalnum, text.casefold()))


def share_of(group: str) -> float:
    """Return a number from 0 to 1 that is drawn by the name of a group, the same for ever."""
    return int.from_bytes(sha256(group.encode()).digest()[-4:], "big") / _FOLDS
