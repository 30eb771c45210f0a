"""What is odd about the reviews that are remembered of an item: who wrote them, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from features.items.review_memory import Remembered, ReviewMemory
from features.items.review_signature import LEAST_EQUAL, equal_hashes, says_enough
from features.items.tails import Evidence, binomial_tail, evidence
from features.tiles import DAY, HOUR

NEW_SHARE: Final = 0.3
"""The share of new reviewers that is ordinary where an item's own past says nothing."""
NEW_SHARE_REVIEWS: Final = 10
"""How many reviews of that share are added to those of the past."""

ALIKE_SHARE: Final = 1e-3
"""How many pairs of unrelated texts may be taken for nearly equal: above every figure of docs/report/risk.md."""

CONTRARY_POLARITY: Final = 0.5
"""The polarity from which on a text says the opposite of a rating on the other side of 3."""
CONTRARY_SHARE: Final = 0.12
"""The share of honest texts that a head takes for the opposite of their rating: docs/report/risk.md."""

WORDLESS_SHARE: Final = 0.3
"""The share of good ratings without a word that is ordinary."""

_HIGH: Final = 4.0
_LOW: Final = 2.0
_RECENT: Final = 7 * DAY
_MONTH: Final = 30 * DAY
_CACHED: Final = 4096


class Oddities(NamedTuple):
    """What the remembered reviews of the last 30 days say.

    Attributes:
        new_reviewers: of the last 7 days.
        alike: the greatest number of texts that are nearly equal to one, that one included, of those long enough.
        contrary: texts that say the opposite of their rating, of those with a polarity and a rating other than 3.
        wordless: ratings of 4 or more without a word, of all ratings of 4 or more.
        rating: mean of the last 7 days; None without a review.
        rating_before: mean of those before them.
    """

    new_reviewers: Evidence
    alike: Evidence
    contrary: Evidence
    wordless: Evidence
    rating: float | None
    rating_before: float | None


def oddities(memory: ReviewMemory, instant: int, looks: int) -> Oddities:
    """Look at the reviews of an item.

    Args:
        memory: of the item.
        instant: T, ms, not before the newest review.
        looks: how often one would have looked in a month.
    """
    return _at_hour(memory.joined, instant // HOUR, looks)


# An item is told again at each of its clicks, and its reviews are the same most times.
@lru_cache(_CACHED)
def _at_hour(joined: bytes, hour: int, looks: int) -> Oddities:
    reviews = ReviewMemory(joined).since(hour * HOUR - _MONTH)
    recent = [review for review in reviews if review.timestamp >= hour * HOUR - _RECENT]
    before = reviews[: len(reviews) - len(recent)]
    return Oddities(
        new_reviewers=_new_reviewers(recent, before, looks),
        alike=_alike(reviews, looks),
        contrary=_contrary(reviews, looks),
        wordless=_wordless(reviews, looks),
        rating=_mean_rating(recent),
        rating_before=_mean_rating(before),
    )


def _new_reviewers(recent: Sequence[Remembered], before: Sequence[Remembered], looks: int) -> Evidence:
    share = (_new(before) + NEW_SHARE * NEW_SHARE_REVIEWS) / (len(before) + NEW_SHARE_REVIEWS)
    return evidence(_new(recent), len(recent), share, looks)


def _new(reviews: Sequence[Remembered]) -> int:
    return sum(review.new_reviewer for review in reviews)


def _alike(reviews: Sequence[Remembered], looks: int) -> Evidence:
    signatures = [review.signature for review in reviews if says_enough(review.signature)]
    if not signatures:
        return evidence(0, 0, ALIKE_SHARE, looks)
    largest = int((equal_hashes(signatures) >= LEAST_EQUAL).sum(axis=1).max())
    # Of each text in turn, how many others are like it: the union bound over all of them.
    tail = min(1.0, len(signatures) * binomial_tail(largest - 1, len(signatures) - 1, ALIKE_SHARE))
    return evidence(largest, len(signatures), ALIKE_SHARE, looks, tail)


def _contrary(reviews: Sequence[Remembered], looks: int) -> Evidence:
    found = of = 0
    for review in reviews:
        if review.polarity is None or _LOW < review.rating < _HIGH:
            continue
        of += 1
        found += (review.polarity if review.rating <= _LOW else -review.polarity) >= CONTRARY_POLARITY
    return evidence(found, of, CONTRARY_SHARE, looks)


def _wordless(reviews: Sequence[Remembered], looks: int) -> Evidence:
    high = [review for review in reviews if review.rating >= _HIGH]
    return evidence(sum(not review.signature for review in high), len(high), WORDLESS_SHARE, looks)


def _mean_rating(reviews: Sequence[Remembered]) -> float | None:
    return sum(review.rating for review in reviews) / len(reviews) if reviews else None
