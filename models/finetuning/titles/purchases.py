"""Who bought which titles, when, and together with which: what the encoder learns titles from."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.finetuning.exceptions import FinetuningError
from models.finetuning.texts import STOPPING_SHARE, VALIDATION_SHARE, share_of
from models.finetuning.titles.association import MOST_TITLES
from models.text.cleaning import clean
from models.text.noise import is_noisy

LEAST_SHOPPERS: Final = 10
"""Shoppers below which a part of the split measures nothing."""


class Pairs(StrEnum):
    """Which titles belong together."""

    BASKETS = "baskets"
    """Those of one order."""
    SHOPPERS = "shoppers"
    """Those that one shopper bought, at any time."""


class Line(NamedTuple):
    """A purchase as it comes.

    Attributes:
        user_id: who bought.
        order_id: of the order, within the shopper; None: the line is an order of its own.
        title: as written.
        timestamp: epoch ms.
    """

    user_id: str
    order_id: str | None
    title: str
    timestamp: int


@dataclass(frozen=True, eq=False)
class Purchases:
    """m lines of n titles.

    Attributes:
        titles: n distinct cleaned titles, in order.
        shoppers: ids of the shoppers, in order.
        title: int64[m], of each line.
        shopper: int64[m], of each line.
        basket: int64[m], of each line; no two shoppers share one.
        timestamp: int64[m], epoch ms.
        left_out: lines without a title that counts, or with one of the rarest titles beyond the most there may be.
    """

    titles: tuple[str, ...]
    shoppers: tuple[str, ...]
    title: NDArray[np.int64]
    shopper: NDArray[np.int64]
    basket: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    left_out: int

    def __len__(self) -> int:
        """Return m."""
        return len(self.title)

    @property
    def frequencies(self) -> NDArray[np.int64]:
        """Return the lines of each title, int64[n]."""
        return np.bincount(self.title, minlength=len(self.titles)).astype(np.int64)

    def groups(self, pairs: Pairs) -> NDArray[np.int64]:
        """Return what the titles of each line belong together by, int64[m]."""
        return self.basket if pairs is Pairs.BASKETS else self.shopper

    def of(self, shoppers: NDArray[np.bool_]) -> Purchases:
        """Return the lines of some shoppers, given as bool[shoppers]; titles and ids stay."""
        kept = shoppers[self.shopper]
        return replace(
            self,
            title=self.title[kept],
            shopper=self.shopper[kept],
            basket=self.basket[kept],
            timestamp=self.timestamp[kept],
        )

    def digest(self) -> str:
        """Return the hex SHA-256 of all lines."""
        whole = sha256()
        for text in (*self.titles, "", *self.shoppers):
            whole.update(text.encode(errors="surrogatepass") + b"\0")
        for numbers in (self.title, self.shopper, self.basket, self.timestamp):
            whole.update(numbers.tobytes())
        return whole.hexdigest()


class Split(NamedTuple):
    """Three parts that share no shopper.

    Attributes:
        train: to fit on.
        stopping: decides when training ends and which weights are kept.
        validation: measured, and never used for a decision.
    """

    train: Purchases
    stopping: Purchases
    validation: Purchases


def gather(lines: Iterable[Line], erased: Collection[str] = ()) -> Purchases:
    """Gather purchases whose title counts: one that is not noisy, and not empty after cleaning.

    Args:
        lines: in any order.
        erased: shoppers to leave out; looked at once all lines are read.

    Raises:
        FinetuningError: there is none.
    """
    places: dict[str, int] = {}
    cleaned: dict[str, int] = {}
    shoppers: dict[str, int] = {}
    baskets: dict[tuple[int, str | int], int] = {}
    columns = tuple(array("q") for _ in range(4))
    left_out = 0
    for number, line in enumerate(lines):
        place = places.get(line.title)
        if place is None:
            text = "" if is_noisy(line.title) else clean(line.title)
            place = cleaned.setdefault(text, len(cleaned)) if text else -1
            places[line.title] = place
        if place < 0:
            left_out += 1
            continue
        shopper = shoppers.setdefault(line.user_id, len(shoppers))
        order = number if line.order_id is None else line.order_id
        basket = baskets.setdefault((shopper, order), len(baskets))
        for column, value in zip(columns, (place, shopper, basket, line.timestamp), strict=True):
            column.append(value)
    if not columns[0]:
        raise FinetuningError("expected purchases with a title, found none: give clicks that have one under `title`")
    title, *rest = (np.frombuffer(column, dtype=np.int64) for column in columns)
    gathered = _most_frequent(tuple(cleaned), tuple(shoppers), title, rest, left_out)
    return gathered.of(np.array([user_id not in erased for user_id in gathered.shoppers])) if erased else gathered


def split(purchases: Purchases, seed: int) -> Split:
    """Split by shopper, the same way for the same seed and id.

    Raises:
        FinetuningError: a part would be too small.
    """
    shares = np.array([share_of(f"{seed} {user_id}") for user_id in purchases.shoppers])
    part = np.searchsorted(np.cumsum([VALIDATION_SHARE, STOPPING_SHARE]), shares, side="right")
    found = [purchases.of(part == number) for number in range(3)]
    for name, number in zip(("validation", "stopping", "training"), range(3), strict=True):
        count = len(np.unique(found[number].shopper))
        if count < LEAST_SHOPPERS:
            raise FinetuningError(
                f"expected at least {LEAST_SHOPPERS} {name} shoppers, found {count}: give purchases of more shoppers"
            )
    validation, stopping, train = found
    return Split(train, stopping, validation)


def _most_frequent(
    titles: tuple[str, ...],
    shoppers: tuple[str, ...],
    title: NDArray[np.int64],
    rest: list[NDArray[np.int64]],
    left_out: int,
) -> Purchases:
    """Put the titles in order, as many of the most frequent as may be compared."""
    counts = np.bincount(title, minlength=len(titles))
    ranked = sorted(range(len(titles)), key=lambda index: (-int(counts[index]), titles[index]))[:MOST_TITLES]
    chosen = sorted(ranked, key=lambda index: titles[index])
    renumbered = np.full(len(titles), -1, dtype=np.int64)
    renumbered[chosen] = np.arange(len(chosen))
    title = renumbered[title]
    kept = title >= 0
    shopper, basket, timestamp = (each[kept] for each in rest)
    return Purchases(
        tuple(titles[index] for index in chosen),
        shoppers,
        title[kept],
        shopper,
        basket,
        timestamp,
        left_out=left_out + int(np.count_nonzero(~kept)),
    )
