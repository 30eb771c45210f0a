"""Whether titles tell what a shopper buys next: how high they rank what is in the last basket, by the ones before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.finetuning.exceptions import FinetuningError
from models.finetuning.titles.purchases import Purchases
from models.libraries import FINETUNE, library

HALF_LIFE_MS: Final = 60 * 86_400_000
"""Half-life of a purchase in the taste of its shopper, that of the served `taste_vector`."""
DRAWS: Final = 2000
LEAST: Final = 2
"""Shoppers with two baskets or more below which nothing is measured."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LastBaskets:
    """k shoppers, each with what they bought before their last basket and what was in it.

    Attributes:
        before: sparse float64[k, n], the decayed number of each title before it.
        bought: k lists of the distinct titles in it.
    """

    before: Any
    bought: list[NDArray[np.int64]]

    @classmethod
    def of(cls, purchases: Purchases) -> LastBaskets:
        """Take apart the purchases of shoppers who have two baskets or more, at different times.

        Raises:
            FinetuningError: hardly anybody has.
        """
        sparse = library("scipy.sparse", FINETUNE)
        _, basket = np.unique(purchases.basket, return_inverse=True)
        begins = np.full(basket.max(initial=-1) + 1, np.iinfo(np.int64).max)
        np.minimum.at(begins, basket, purchases.timestamp)
        time = begins[basket]
        newest = np.full(len(purchases.shoppers), np.iinfo(np.int64).min)
        np.maximum.at(newest, purchases.shopper, time)
        is_last = time == newest[purchases.shopper]
        chosen = np.intersect1d(purchases.shopper[is_last], purchases.shopper[~is_last])
        if len(chosen) < LEAST:
            raise FinetuningError(
                f"expected shoppers with two baskets or more, found {len(chosen)} among those held out: give a longer "
                "history, of more shoppers"
            )
        row = np.searchsorted(chosen, purchases.shopper)
        there = np.isin(purchases.shopper, chosen)
        is_before, is_bought = there & ~is_last, there & is_last
        age = (newest[purchases.shopper] - time)[is_before]
        shape = (len(chosen), len(purchases.titles))
        before = sparse.coo_matrix(
            (2.0 ** (-age / HALF_LIFE_MS), (row[is_before], purchases.title[is_before])), shape=shape
        )
        pairs = np.unique(np.column_stack([row[is_bought], purchases.title[is_bought]]), axis=0)
        edges = np.searchsorted(pairs[:, 0], np.arange(1, len(chosen)))
        return cls(before.tocsr(), np.split(pairs[:, 1], edges))

    def ranked_above(self, vectors: Numbers) -> Numbers:
        """Return the share of other titles that are nearer to each shopper's taste than a title of the last basket.

        The taste is the unit sum of the vectors bought before, decayed; near is the cosine. A tie counts half. 0 is
        best, 0.5 is chance: it is 1 - the area under the ROC curve.

        Args:
            vectors: float64[n, width], of the titles, not normalised.

        Returns:
            float64[k], the mean over the titles in the last basket.
        """
        near = _unit(np.asarray(self.before @ vectors)) @ _unit(vectors).T
        found = np.empty(len(self.bought))
        for index, (row, bought) in enumerate(zip(near, self.bought, strict=True)):
            ordered = np.sort(np.delete(row, bought))
            above = (
                len(ordered)
                - (
                    np.searchsorted(ordered, row[bought], side="left")
                    + np.searchsorted(ordered, row[bought], side="right")
                )
                / 2
            )
            found[index] = above.mean() / len(ordered) if len(ordered) else 0.5
        return found


def interval(differences: Numbers, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean of differences, float64[k], drawn over shoppers."""
    random = np.random.default_rng(seed)
    drawn = random.integers(len(differences), size=(DRAWS, len(differences)))
    low, high = np.quantile(differences[drawn].mean(1), (0.025, 0.975))
    return float(low), float(high)


def _unit(vectors: Numbers) -> Numbers:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)
