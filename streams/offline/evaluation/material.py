"""The material of an evaluation: rows to judge, rows of other users to fit baselines on, and facts about both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from features.users.catalogue import INDEX
from models.measures.baselines import Histories

if TYPE_CHECKING:
    from streams.offline.evaluation.texts import Texts

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class Rows:
    """n users at instants, and their later spend.

    Attributes:
        values: float64 [n, k], in the order of `features.users.catalogue.SCALARS`, NaN for null.
        profiles: float32 [n, 64].
        money: float64 [n], spent in the 30 days after the instant.
        users: n ids.
        instants: int64 [n], T in ms.
    """

    values: Vector
    profiles: NDArray[np.float32]
    money: Vector
    users: list[str]
    instants: NDArray[np.int64]

    def where(self, chosen: Mask) -> Self:
        """Return the rows chosen by a mask, bool [n]."""
        return type(self)(
            values=self.values[chosen],
            profiles=self.profiles[chosen],
            money=self.money[chosen],
            users=[user for user, kept in zip(self.users, chosen.tolist(), strict=True) if kept],
            instants=self.instants[chosen],
        )

    @property
    def bought(self) -> Mask:
        """Whether the user spent anything in the 30 days after: bool [n]."""
        return self.money > 0

    @property
    def customers(self) -> Mask:
        """Whether the user had an order by then: bool [n]."""
        return self.values[:, INDEX["lifetime_orders"]] >= 1

    def histories(self) -> Histories:
        """Return the past orders of rows that all have one.

        A feature row does not hold the time of the first order. With a single order it is the time of the last one.
        With more, the user's first event stands for it, which is too early by the time before the first order.
        """
        orders, spend, tenure, idle = (
            self.values[:, INDEX[name]]
            for name in ("lifetime_orders", "lifetime_spend", "tenure_days", "days_since_last_purchase")
        )
        recency = np.where(orders > 1, np.maximum(tenure - idle, 0.0), 0.0)
        return Histories(orders=orders, recency_days=recency, age_days=recency + idle, spend=spend)


@dataclass(frozen=True, eq=False, kw_only=True)
class Material:
    """The rows and texts of an evaluation.

    Attributes:
        asked: rows to judge.
        known: rows of other users, to fit baselines and refitted scorers on.
        regular: the rows of `known` that baselines are fitted on, bool [m]; a scorer takes all rows.
        groups: columns to compare groups by, [n] labels each.
        demonstration: whether the groups only show the method and have no meaning.
        use_profile: whether the profiles are those that the scorer was fitted to.
        data: what the rows are, in words.
        overlap: whether the scorer has seen users of `asked`: `none`, `certain` or `unknown`.
        overlap_reason: how that is known, or why it is not.
        texts: the texts to rewrite; None if they are not at hand.
        without_texts: the reason why there are no texts.
    """

    asked: Rows
    known: Rows
    regular: Mask
    use_profile: bool
    data: str
    overlap: str
    overlap_reason: str
    groups: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    demonstration: bool = False
    texts: Texts | None = None
    without_texts: str = ""
