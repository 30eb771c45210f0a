"""Exact tails, and what a tail is worth as evidence."""

from __future__ import annotations

from math import exp, inf, lgamma, log, log1p, log10
from typing import Final, NamedTuple

MOST_DECADES: Final = 30.0
"""Evidence of one kind is not told above it: from there on only the model's own faults are rare enough."""

TESTS: Final = 9
"""Kinds of evidence (`features.items.risk_score`)."""

JOINED_TAIL: Final = 0.05
"""The tail below which a burst and what is odd about its reviews are looked at together."""

_NEGLIGIBLE: Final = 1e-17


class Evidence(NamedTuple):
    """One count, beside what is ordinary.

    Attributes:
        found: how many.
        of: among how many.
        expected: how many of them in an ordinary month.
        tail: the probability of as many or more there, by one look.
        decades: what the tail is worth after all looks of a month: -log10(tail x looks), 0 where that is below.
    """

    found: int
    of: int
    expected: float
    tail: float
    decades: float


def evidence(found: int, of: int, share: float, tail: float | None = None, looks: int | None = None) -> Evidence:
    """Return the evidence of so many among so many, each of which is ordinary by itself with a probability.

    A count of reviews rises with a review alone. So the looks of a month are as many as its reviews, by each test, and
    by Bonferroni's bound their number times the tail is what one of them all is worth.

    Args:
        found: 0..`of`.
        of: how many there were.
        share: the probability, 0..1.
        tail: where it is not the binomial one.
        looks: how often one looks in a month; None for `of`.
    """
    if tail is None:
        tail = binomial_tail(found, of, share)
    return Evidence(found, of, of * share, tail, decades(tail, TESTS * max(1, of if looks is None else looks)))


def decades(tail: float, looks: int) -> float:
    """Return -log10 of a tail by Bonferroni's bound over so many looks, 0..`MOST_DECADES`."""
    return 0.0 if tail * looks >= 1.0 else min(MOST_DECADES, -log10(tail * looks) if tail else inf)


def binomial_tail(found: int, of: int, share: float) -> float:
    """Return the probability of `found` or more successes in `of` trials, each of probability `share`.

    The terms are summed from the one at `found` away from the mean, where each is a smaller part of the one before,
    until they no longer count: exact to about 1e-9 of its value, however many trials there are.
    """
    if found <= 0 or share >= 1.0:
        return 1.0
    if found > of or share <= 0.0:
        return 0.0
    odds = share / (1.0 - share)
    above = found > of * share
    at = found if above else found - 1
    term = exp(lgamma(of + 1) - lgamma(at + 1) - lgamma(of - at + 1) + at * log(share) + (of - at) * log1p(-share))
    total = 0.0
    while 0 <= at <= of and term > total * _NEGLIGIBLE:
        total += term
        term *= (of - at) / (at + 1) * odds if above else at / (of - at + 1) / odds
        at += 1 if above else -1
    return min(1.0, total if above else max(0.0, 1.0 - total))


def joined(odd: Evidence, burst: Evidence, looks: int) -> Evidence:
    """Return evidence of something odd in as far as it comes in a burst: both have to be beyond `JOINED_TAIL`.

    How many reviews come, and what they are like, are independent of each other in an ordinary month. The tail is that
    of the product w of both tails, each at most a: w (1 + ln(a^2 / w)), the integral over all pairs that are as small
    (Fisher 1925, "Statistical methods for research workers"; cut off as by Zaykin et al. 2002, "Truncated product
    method for combining P-values"). Counts are whole, so it is at most that.

    Args:
        odd: what the reviews of a window are like.
        burst: of reviews in that window.
        looks: reviews of a month.
    """
    product = odd.tail * burst.tail
    if max(odd.tail, burst.tail) > JOINED_TAIL:
        tail = 1.0
    else:
        tail = product * (1.0 + log(JOINED_TAIL**2 / product)) if product else 0.0
    return odd._replace(tail=tail, decades=decades(tail, TESTS * looks))
