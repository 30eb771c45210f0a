"""What is odd about the reviews that are remembered of an item: who wrote them, and what they say."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from features.items.review_memory import Remembered, ReviewMemory
from features.items.review_signature import LEAST_EQUAL, equal_hashes, says_enough
from features.items.tails import Evidence, binomial_tail, evidence
from features.tiles import DAY, HOUR

PRIOR_REVIEWS: Final = 10
"""How many reviews of an ordinary share are added to those of the item's own past."""

NEW_SHARE: Final = 0.3
"""The ordinary share of new reviewers."""

ALIKE_SHARE: Final = 2e-3
"""The share of pairs of texts of one subject that may be taken for nearly equal: twice that of docs/report/risk.md."""

CONTRARY_POLARITY: Final = 0.3
"""The polarity from which on a text says the opposite of a rating on the other side of 3."""
CONTRARY_SHARE: Final = 0.13
"""The share of honest texts that a head takes for the opposite of their rating: docs/report/risk.md."""

WORDLESS_SHARE: Final = 0.3
"""The share of good ratings without a word that is ordinary."""

_HIGH: Final = 4.0
_LOW: Final = 2.0
_WEEK: Final = 7 * DAY
_FORTNIGHT: Final = 14 * DAY
_MONTH: Final = 30 * DAY
_CACHED: Final = 4096

Reviews = Sequence[Remembered]


class Oddities(NamedTuple):
    """What the remembered reviews of the last 30 days say.

    Attributes:
        new_reviewers: of the last 7 days.
        alike: the greatest number of texts that are nearly equal to one, that one included, of those long enough.
        contrary: texts of the last 14 days that say the opposite of their rating, of those with a polarity and a rating
            of 2 or less, or of 4 or more.
        wordless: ratings of 4 or more without a word, of all such ratings of the last 14 days.
        rating: mean of the last 7 days; None without a review.
        rating_before: mean of those before them.
    """

    new_reviewers: Evidence
    alike: Evidence
    contrary: Evidence
    wordless: Evidence
    rating: float | None
    rating_before: float | None


def oddities(memory: ReviewMemory, instant: int) -> Oddities:
    """Look at the reviews of an item.

    Args:
        memory: of the item.
        instant: T, ms, not before the newest review.
    """
    return _at_hour(memory.joined, instant // HOUR)


# An item is told again at each of its clicks, and its reviews are the same most times.
@lru_cache(_CACHED)
def _at_hour(joined: bytes, hour: int) -> Oddities:
    now = hour * HOUR
    reviews = ReviewMemory(joined).since(now - _MONTH)
    before_week, week = _split(reviews, now - _WEEK)
    before_fortnight, fortnight = _split(reviews, now - _FORTNIGHT)
    return Oddities(
        new_reviewers=_new_reviewers(week, before_week),
        alike=_alike(reviews),
        contrary=_contrary(fortnight, before_fortnight),
        wordless=_wordless(fortnight, before_fortnight),
        rating=_mean_rating(week),
        rating_before=_mean_rating(before_week),
    )


def _split(reviews: Reviews, lower: int) -> tuple[Reviews, Reviews]:
    place = bisect_left(reviews, lower, key=lambda review: review.timestamp)
    return reviews[:place], reviews[place:]


def _share(found: int, of: int, ordinary: float) -> float:
    """Return the share of an item's past, drawn towards an ordinary one."""
    return (found + ordinary * PRIOR_REVIEWS) / (of + PRIOR_REVIEWS)


def _new_reviewers(recent: Reviews, before: Reviews) -> Evidence:
    return evidence(_new(recent), len(recent), _share(_new(before), len(before), NEW_SHARE))


def _new(reviews: Reviews) -> int:
    return sum(review.new_reviewer for review in reviews)


def _alike(reviews: Reviews) -> Evidence:
    signatures = [review.signature for review in reviews if says_enough(review.signature)]
    if not signatures:
        return evidence(0, 0, ALIKE_SHARE)
    largest = int((equal_hashes(signatures) >= LEAST_EQUAL).sum(axis=1).max())
    # Of each text in turn, how many others are like it: the union bound over all of them.
    tail = min(1.0, len(signatures) * binomial_tail(largest - 1, len(signatures) - 1, ALIKE_SHARE))
    return evidence(largest, len(signatures), ALIKE_SHARE, tail)


def _contrary(recent: Reviews, before: Reviews) -> Evidence:
    (found, of), past = _opposed(recent), _opposed(before)
    return evidence(found, of, max(CONTRARY_SHARE, _share(*past, CONTRARY_SHARE)))


def _opposed(reviews: Reviews) -> tuple[int, int]:
    found = of = 0
    for review in reviews:
        if review.polarity is not None and not _LOW < review.rating < _HIGH:
            of += 1
            found += (review.polarity if review.rating <= _LOW else -review.polarity) >= CONTRARY_POLARITY
    return found, of


def _wordless(recent: Reviews, before: Reviews) -> Evidence:
    (found, of), past = _silent(recent), _silent(before)
    return evidence(found, of, max(WORDLESS_SHARE, _share(*past, WORDLESS_SHARE)))


def _silent(reviews: Reviews) -> tuple[int, int]:
    high = [review for review in reviews if review.rating >= _HIGH]
    return sum(not review.signature for review in high), len(high)


def _mean_rating(reviews: Reviews) -> float | None:
    return sum(review.rating for review in reviews) / len(reviews) if reviews else None
