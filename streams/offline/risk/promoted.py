"""Real promotions: the week of an item that was promoted and sold most, and what its reviews then say."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from statistics import median
from typing import Any, Final

from features.items.risk_score import ALERT_SCORE
from streams.offline.complete_journey.promotions import WEEK, week_begin
from streams.offline.risk.campaigns import ASKED_AFTER, LONGEST, Texts, asked
from streams.offline.risk.traffic import reviewed, sold
from streams.offline.risk.trial import WARM_UP, Watched, watch
from streams.progress import Progress

LEAST_FACTOR: Final = 3
"""How many times as much as in its mean week an item sold in a promoted one, for the week to be a burst of sales."""

LEAST_SOLD: Final = 5
"""Purchase lines that it sold then, at least."""

AS_USUAL: Final = "reviewed as usual"
ONE_DAY: Final = "reviewed on one day"


def bursts_of_sales(
    times: Mapping[str, Sequence[int]], weeks: Mapping[str, Collection[int]]
) -> dict[str, tuple[int, int]]:
    """Return of each item the promoted week in which it sold most, if that is a burst of sales.

    Args:
        times: of the purchases of each item, ms, ascending.
        weeks: in which each item was promoted.

    Returns:
        By item: when the week begins, ms, and how much was sold. The item is known for long enough before it, and
        to the end of the time that it is watched for.
    """
    found = {}
    for name, bought in times.items():
        mean = len(bought) / max(1.0, (bought[-1] - bought[0]) / WEEK)
        begins = [week_begin(week) for week in weeks.get(name, ())]
        seen = [begin for begin in begins if bought[0] + WARM_UP <= begin <= bought[-1] - LONGEST]
        sales = [(_between(bought, begin, begin + WEEK), begin) for begin in seen]
        most, begin = max(sales, default=(0, 0))
        if most >= max(LEAST_SOLD, LEAST_FACTOR * mean):
            found[name] = begin, most
    return found


def _between(times: Sequence[int], lower: int, upper: int) -> int:
    return bisect_left(times, upper) - bisect_left(times, lower)


def run(
    times: Mapping[str, Sequence[int]],
    begins: Mapping[str, int],
    said: Mapping[str, Texts],
    rng: random.Random,
    progress: Progress,
) -> dict[str, list[Watched]]:
    """Watch items from their week of promotion on, in which nothing is planted.

    Args:
        times: of the purchases of each item, ms, ascending.
        begins: of the promoted week of each item that is watched.
        said: texts by language.
        rng: draws.
        progress: called before each item.

    Returns:
        `AS_USUAL`: with reviews as everywhere in the trial. `ONE_DAY`: half of the week's customers are new, and those
        who review do so on one day, a week after the promoted one began.
    """
    found: dict[str, list[Watched]] = {AS_USUAL: [], ONE_DAY: []}
    items = sold({name: times[name] for name in begins}, len(begins), sorted(said), rng)
    for number, item in enumerate(items):
        progress("watching promotions", number, len(items))
        begin, texts = begins[item.name], said[item.language]
        first, end = bisect_left(item.bought, begin), bisect_left(item.bought, begin + WEEK)
        others, then = item.bought[:first] + item.bought[end:], item.bought[first:end]
        item.reviews = reviewed(item, item.bought, texts, rng)
        found[AS_USUAL].append(watch(item, AS_USUAL, 0, begin))
        item.reviews = reviewed(item, others, texts, rng) + asked(item, then, begin + ASKED_AFTER, texts, rng)
        found[ONE_DAY].append(watch(item, ONE_DAY, 0, begin))
    return found


def summary(
    times: Mapping[str, Sequence[int]],
    weeks: Mapping[str, Collection[int]],
    sales: Mapping[str, tuple[int, int]],
    watched: Mapping[str, Sequence[Watched]],
    threshold: float,
) -> dict[str, Any]:
    """Return what is told of the promotions of the data.

    Args:
        times: of the purchases of each item, ms.
        weeks: in which each item was promoted.
        sales: of `bursts_of_sales`.
        watched: of `run`.
        threshold: the score that was chosen.

    Returns:
        `products`, `promoted`: how many there are; `items`: with a burst of sales; `lines`: `median` and `most` that
        were sold in it; `flagged`: by the way of reviewing, at `threshold` and `at_alert`, and the `greatest` score.
    """
    lines = [sold for _, sold in sales.values()]
    return {
        "products": len(times),
        "promoted": len(weeks),
        "items": len(sales),
        "lines": {"median": median(lines), "most": max(lines)} if lines else None,
        "flagged": {
            way: {
                "threshold": sum(each.score >= threshold for each in found),
                "at_alert": sum(each.score >= ALERT_SCORE for each in found),
                "greatest": max((each.score for each in found), default=0.0),
            }
            for way, found in watched.items()
        },
    }
