"""What is planted into an item's year: four kinds of campaigns, and two kinds of promotions, which are none."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from features.tiles import DAY, HOUR
from streams.offline.risk.rewriting import rewritten
from streams.offline.risk.traffic import NEW, Item, Said, Written, reviewed

Texts = Mapping[bool, Sequence[Said]]

SIZES: Final = (6, 10, 20)
"""Reviews of a campaign."""

PRAISE_BURST: Final = "five-star burst by new accounts"
ATTACK: Final = "one-star attack"
COPIES: Final = "one text, lightly rewritten"
PAID: Final = "paid ratings"
PROMOTION: Final = "promotion of a week"
FLASH: Final = "sale of one day, reviewed on one day"
ORDINARY: Final = "ordinary"

CAMPAIGNS: Final = (PRAISE_BURST, ATTACK, COPIES, PAID)
PROMOTIONS: Final = (PROMOTION, FLASH)

LONGEST: Final = 21 * DAY
"""How long an item is watched from the first planted event on, ms."""

ASKED_AFTER: Final = 7 * DAY
"""From the beginning of a sale until its customers are asked for a review, ms."""

_BURST: Final = 30 * HOUR
_SPREAD: Final = 14 * DAY
_PROMOTED_DAYS: Final = 7
_PROMOTED: Final = (3, 8)
_FLASH: Final = (10, 25)
_NEW_IN_PROMOTION: Final = 0.5
_LEAST_COPIED_BYTES: Final = 60


def praise_burst(begin: int, size: int, said: Texts, rng: random.Random) -> list[Written]:
    """Return five stars with praise, by new accounts, within 30 hours; nothing is bought."""
    return [Written(begin + rng.randrange(_BURST), 5, rng.choice(said[True]), True) for _ in range(size)]


def attack(begin: int, size: int, said: Texts, rng: random.Random) -> list[Written]:
    """Return one star with complaint, by accounts as old as any, within 30 hours; nothing is bought."""
    return [Written(begin + rng.randrange(_BURST), 1, rng.choice(said[False]), rng.random() < NEW) for _ in range(size)]


def copies(begin: int, size: int, said: Texts, rng: random.Random) -> list[Written]:
    """Return five stars with one praise, each copy rewritten in one to three ways, over two weeks."""
    one = rng.choice([each for each in said[True] if len(each.text.encode()) >= _LEAST_COPIED_BYTES])
    return [
        Written(
            begin + rng.randrange(_SPREAD),
            5,
            one._replace(text=rewritten(one.text, rng, rng.randint(1, 3))),
            rng.random() < NEW,
        )
        for _ in range(size)
    ]


def paid(begin: int, size: int, said: Texts, rng: random.Random) -> list[Written]:
    """Return five stars over two weeks, half of them with a complaint, half without a word."""
    return [
        Written(
            begin + rng.randrange(_SPREAD),
            5,
            rng.choice(said[False]) if rng.random() < 0.5 else None,
            rng.random() < NEW,
        )
        for _ in range(size)
    ]


PLANTED: Final[Mapping[str, Callable[[int, int, Texts, random.Random], list[Written]]]] = {
    PRAISE_BURST: praise_burst,
    ATTACK: attack,
    COPIES: copies,
    PAID: paid,
}


def promotion(item: Item, begin: int, said: Texts, rng: random.Random) -> None:
    """Sell an item three to eight times as often for a week, half to new customers, and have it reviewed as usual."""
    sold = _sold(item, begin, _PROMOTED_DAYS, rng.randint(*_PROMOTED), rng)
    item.reviews += reviewed(item, sold, said, rng, _NEW_IN_PROMOTION)


def flash(item: Item, begin: int, said: Texts, rng: random.Random) -> None:
    """Sell ten to 25 times as much on one day, half to new customers, who are all asked for a review after a week."""
    sold = _sold(item, begin, 1, rng.randint(*_FLASH), rng)
    item.reviews += asked(item, sold, begin + ASKED_AFTER, said, rng)


def asked(item: Item, bought: Iterable[int], day: int, said: Texts, rng: random.Random) -> list[Written]:
    """Return honest reviews of purchases, half of them by new customers, all on the day that begins at a time (ms)."""
    written = reviewed(item, bought, said, rng, _NEW_IN_PROMOTION)
    return [review._replace(timestamp=day + rng.randrange(DAY)) for review in written]


def _sold(item: Item, begin: int, days: int, factor: int, rng: random.Random) -> list[int]:
    of_a_day = len(item.bought) / max(1.0, (item.bought[-1] - item.bought[0]) / DAY)
    sold = sorted(begin + rng.randrange(days * DAY) for _ in range(round(of_a_day * days * factor)))
    item.bought = sorted(item.bought + sold)
    return sold


PROMOTED: Final[Mapping[str, Callable[[Item, int, Texts, random.Random], None]]] = {PROMOTION: promotion, FLASH: flash}
