"""What is odd about the reviews that are remembered of an item: who wrote them, and what they say."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from features.items.review_memory import KEPT, Remembered, ReviewMemory
from features.items.review_signature import LEAST_EQUAL, equal_hashes, says_enough
from features.items.tails import Evidence, binomial_tail, evidence
from features.tiles import DAY, HOUR

PRIOR_REVIEWS: Final = 10
"""How many reviews of an ordinary share are added to those of the item's own past."""

NEW_SHARE: Final = 0.3
"""The ordinary share of new reviewers."""

LOW_SHARE: Final = 0.3
"""The ordinary share of ratings of 2 or less."""

UNBACKED_SHARE: Final = 0.3
"""The ordinary share of ratings of 4 or more that no word backs, of all reviews."""

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
    """What the remembered reviews say: the last ones, beside those of half a year before them.

    Attributes:
        new_reviewers: of the last 7 days.
        low: ratings of 2 or less of the last 7 days.
        unbacked: ratings of 4 or more of the last 14 days that no word backs: there is none, or it says the opposite.
        alike: the greatest number of texts of the last 30 days that are nearly equal to one, that one included, of
            those long enough.
        contrary: texts of the last 14 days that say the opposite of their rating, of those with a polarity and a rating
            of 2 or less, or of 4 or more.
        wordless: ratings of 4 or more without a word, of all such ratings of the last 14 days.
        rating: mean of the last 7 days; None without a review.
        rating_before: mean of those before them.
    """

    new_reviewers: Evidence
    low: Evidence
    unbacked: Evidence
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
    reviews = ReviewMemory(joined).since(now - KEPT)
    before_week, week = _split(reviews, now - _WEEK)
    before_fortnight, fortnight = _split(reviews, now - _FORTNIGHT)
    return Oddities(
        new_reviewers=_unlike(_is_new, NEW_SHARE, week, before_week),
        low=_unlike(_is_low, LOW_SHARE, week, before_week),
        unbacked=_unlike(_is_unbacked, UNBACKED_SHARE, fortnight, before_fortnight),
        alike=_alike(_split(reviews, now - _MONTH)[1]),
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


def _unlike(odd: Callable[[Remembered], bool], ordinary: float, recent: Reviews, before: Reviews) -> Evidence:
    """Tell how many of the recent reviews are odd, beside the share before them; without any before, nothing."""
    found, past = sum(map(odd, recent)), sum(map(odd, before))
    return evidence(found, len(recent), _share(past, len(before), ordinary), None if before else 1.0)


def _is_new(review: Remembered) -> bool:
    return review.new_reviewer


def _is_low(review: Remembered) -> bool:
    return review.rating <= _LOW


def _is_unbacked(review: Remembered) -> bool:
    contradicts = review.polarity is not None and review.polarity <= -CONTRARY_POLARITY
    return review.rating >= _HIGH and (not review.signature or contradicts)


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
