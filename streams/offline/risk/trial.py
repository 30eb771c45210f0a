"""The trial: items fold their facts as the item stage does, and the score of each is watched for three weeks."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from features.items.fact import Fact
from features.items.review_signature import signature
from features.items.risk_score import EVIDENCE, risk_block
from features.items.state import ItemState
from features.observation import MICRO, Kind, Source, to_micros
from features.tiles import DAY, HOUR
from streams.offline.risk.campaigns import LONGEST, PLANTED, PROMOTED, SIZES, Texts
from streams.offline.risk.traffic import Item, Written, reviewed
from streams.progress import Progress

HEAD: Final = "trial"
WARM_UP: Final = 60 * DAY
"""How long an item is known before anything is planted in it, ms."""


class Watched(NamedTuple):
    """One item of the trial.

    Attributes:
        name: of the item.
        kind: what was planted.
        size: reviews of the campaign; 0 for none.
        score: the greatest while it was watched.
        decades: of each kind of evidence, in the order of `EVIDENCE`, when the score was greatest.
        rises: (hours since the beginning, score) of each new greatest score.
    """

    name: str
    kind: str
    size: int
    score: float
    decades: tuple[float, ...]
    rises: tuple[tuple[float, float], ...]


def run(
    items: Sequence[Item], kinds: Sequence[str], said: Mapping[str, Texts], rng: random.Random, progress: Progress
) -> list[Watched]:
    """Plant and watch.

    Args:
        items: with their purchases and no review; they are changed.
        kinds: what is planted in each item.
        said: texts by language.
        rng: draws.
        progress: called before each item.
    """
    found = []
    for number, (item, kind) in enumerate(zip(items, kinds, strict=True)):
        progress("watching items", number, len(items))
        texts = said[item.language]
        first, last = item.bought[0] + WARM_UP, item.bought[-1] - LONGEST
        begin = rng.randrange(first, max(first + 1, last))
        item.reviews = reviewed(item, item.bought, texts, rng)
        size = 0
        if kind in PROMOTED:
            PROMOTED[kind](item, begin, texts, rng)
        elif kind in PLANTED:
            size = rng.choice(SIZES)
            item.reviews += PLANTED[kind](begin, size, texts, rng)
        found.append(watch(item, kind, size, begin))
    return found


def watch(item: Item, kind: str, size: int, begin: int) -> Watched:
    """Fold the facts of an item, and look at its score from a time on, for as long as the trial watches.

    Args:
        item: with all its reviews.
        kind: what was planted.
        size: reviews of the campaign; 0 for none.
        begin: since when its score is looked at, ms.
    """
    state = ItemState()
    score, decades, rises = 0.0, (0.0,) * len(EVIDENCE), []
    for offset, fact in enumerate(_facts(item)):
        if fact.timestamp > begin + LONGEST:
            break
        state.apply(fact, 0, HEAD, offset)
        if fact.timestamp < begin:
            continue
        block = risk_block(state, fact.timestamp)
        if block is not None and block["score"] > score:
            score, decades = block["score"], tuple(block[name]["decades"] for name in EVIDENCE)
            rises.append(((fact.timestamp - begin) / HOUR, score))
    return Watched(item.name, kind, size, score, decades, tuple(rises))


def _facts(item: Item) -> list[Fact]:
    sold = [
        Fact(Source.CLICKS, offset, item.name, when, Kind.PURCHASE, units=1) for offset, when in enumerate(item.bought)
    ]
    written = sorted(item.reviews, key=lambda review: review.timestamp)
    facts = sold + [_fact(item, offset, review) for offset, review in enumerate(written)]
    return sorted(facts, key=lambda fact: fact.timestamp)


def _fact(item: Item, offset: int, review: Written) -> Fact:
    said: Any = review.said
    return Fact(
        Source.REVIEWS,
        offset,
        item.name,
        review.timestamp,
        Kind.REVIEW,
        amount=review.rating * MICRO,
        polarity=None if said is None else to_micros(said.polarity),
        signature=b"" if said is None else signature(said.text),
        new_reviewer=review.new_reviewer,
    )
